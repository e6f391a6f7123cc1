using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace TorBalancer.Testnet.Nodes;

/// <summary>A directory authority's own keys, which tor-gencert makes.</summary>
internal static class AuthorityKeys
{
    /// <summary>
    /// Creates identity, signing key and certificate below the node's data directory; returns the v3 identity's fingerprint.
    /// </summary>
    public static async Task<string> CreateAsync(string genCertPath, TestNode node, CancellationToken cancellationToken)
    {
        string keys = PrivateFiles.CreateDirectory(Path.Combine(node.Directory, "keys"));
        string certificate = Path.Combine(keys, "authority_certificate");
        string address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{node.DirPort}");
        string[] arguments =
        [
            "--create-identity-key", "-m", "12", "-a", address, "--passphrase-fd", "0",
            "-i", Path.Combine(keys, "authority_identity_key"), "-s", Path.Combine(keys, "authority_signing_key"), "-c", certificate,
        ];
        await RunAsync(genCertPath, arguments, node, cancellationToken);
        foreach (string line in await File.ReadAllLinesAsync(certificate, cancellationToken))
        {
            if (line.StartsWith("fingerprint ", StringComparison.Ordinal))
                return line["fingerprint ".Length..].Trim();
        }

        throw new TestNetworkException($"{node}: tor-gencert wrote a certificate without fingerprint");
    }

    private static async Task RunAsync(string path, string[] arguments, TestNode node, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = TryStart(start);
        try
        {
            // The identity key is stored encrypted; nobody needs it again.
            await process.StandardInput.WriteLineAsync(RandomNumberGenerator.GetHexString(32));
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            string errors = await process.StandardError.ReadToEndAsync(cancellationToken);
            await output;
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
                throw new TestNetworkException($"{node}: tor-gencert failed: {errors.Trim()}");
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }

    private static Process TryStart(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception failure)
        {
            throw new TestNetworkException($"{start.FileName} cannot be started: {failure.Message}", failure);
        }
    }
}
