using System.Net;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace TorBalancer.Tests.Support;

/// <summary>A certificate that signs itself, for the web origin's name and for loopback.</summary>
internal static class TestCertificate
{
    public static X509Certificate2 Create() => Create(TimeSpan.FromDays(-1), TimeSpan.FromDays(2));

    /// <summary>Writes one to cert.pem and its key to key.pem, as they have to be.</summary>
    [SupportedOSPlatform("linux")]
    public static X509Certificate2 Write(string directory, X509Certificate2? certificate = null)
    {
        certificate ??= Create();
        using var key = certificate.GetECDsaPrivateKey()!;
        string path = Path.Combine(directory, "key.pem");
        File.WriteAllText(Path.Combine(directory, "cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(path, key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return certificate;
    }

    /// <summary>One that is valid for this time, told from now.</summary>
    public static X509Certificate2 Create(TimeSpan from, TimeSpan until)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=TorBalancer test origin", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(WebOrigin.Name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now + from, now + until);
    }
}
