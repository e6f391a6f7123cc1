using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>A server's certificate with its key, and those that stand behind it in its file, as they were read.</summary>
/// <param name="Certificate">Has its private key.</param>
/// <param name="Chain">All of the file; its issuers are among them.</param>
internal sealed record CertificatePair(X509Certificate2 Certificate, X509Certificate2Collection Chain)
{
    private const UnixFileMode Everyone = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Reads both files.</summary>
    /// <param name="paths">Where they are.</param>
    /// <param name="files">The file system.</param>
    /// <param name="problem">What is wrong, and with which file, when there is no pair; empty otherwise.</param>
    public static CertificatePair? Read(CertificateFiles paths, IConfigurationFiles files, out string problem)
    {
        if (!files.TryRead(paths.Certificate, out string certificate, out problem))
            return Refused(paths.Certificate, ref problem);
        if (!files.TryRead(paths.Key, out string key, out problem))
            return Refused(paths.Key, ref problem);
        if (files.Mode(paths.Key) is { } mode && (mode & Everyone) != 0)
        {
            problem = "can be read or written by every user of this machine; chmod o-rw, as it is with a key";
            return Refused(paths.Key, ref problem);
        }

        return Parse(certificate, key, paths, ref problem);
    }

    /// <summary>The text of both files, to see whether they have changed; null: they cannot be read.</summary>
    public static string? TextOf(CertificateFiles paths, IConfigurationFiles files) =>
        files.TryRead(paths.Certificate, out string certificate, out _) && files.TryRead(paths.Key, out string key, out _)
            ? certificate + key
            : null;

    private static CertificatePair? Parse(string certificate, string key, CertificateFiles paths, ref string problem)
    {
        var chain = new X509Certificate2Collection();
        try
        {
            chain.ImportFromPem(certificate);
        }
        catch (CryptographicException)
        {
            chain.Clear();
        }

        if (chain.Count == 0)
        {
            problem = "holds no certificate in PEM";
            return Refused(paths.Certificate, ref problem);
        }

        try
        {
            var pair = X509Certificate2.CreateFromPem(certificate, key);
            using var rsa = pair.GetRSAPrivateKey();
            using var ecdsa = pair.GetECDsaPrivateKey();
            if (rsa is not null || ecdsa is not null)
                return new CertificatePair(pair, chain);
            pair.Dispose();
            problem = "is of a kind that TLS cannot sign with: RSA and ECDSA keys are taken";
            return Refused(paths.Key, ref problem);
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException or NotSupportedException)
        {
            problem = key.Contains("ENCRYPTED", StringComparison.Ordinal) ? "is encrypted; a key without a password is taken"
                : key.Contains("PRIVATE KEY-----", StringComparison.Ordinal)
                    ? $"does not belong to the certificate in {ConfText.Printable(paths.Certificate)}"
                    : "holds no private key in PEM";
            return Refused(paths.Key, ref problem);
        }
    }

    private static CertificatePair? Refused(string path, ref string problem)
    {
        problem = $"{ConfText.Printable(path)} {problem}";
        return null;
    }
}
