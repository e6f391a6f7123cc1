using System.ComponentModel;
using System.Diagnostics;

namespace TorBalancer.Daemon.Commands;

/// <summary>A key pair as wg writes it, base64.</summary>
internal sealed record WireGuardKeyPair(string Private, string Public)
{
    /// <summary>Never prints the private one.</summary>
    public override string ToString() => Public;
}

/// <summary>Key pairs from the operator's own wg: the tool that will use them is the one to make them.</summary>
internal sealed class WireGuardKeys(string tool = "wg")
{
    public async Task<WireGuardKeyPair> GenerateAsync(CancellationToken cancellationToken)
    {
        string secret = await RunAsync("genkey", null, cancellationToken);
        return new WireGuardKeyPair(secret, await RunAsync("pubkey", secret, cancellationToken));
    }

    /// <summary>Secrets go through pipes: a command line is visible to everybody.</summary>
    private async Task<string> RunAsync(string command, string? input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(tool)
        {
            ArgumentList = { command },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            if (input is not null)
                await process.StandardInput.WriteLineAsync(input);
            process.StandardInput.Close();
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            string output = (await process.StandardOutput.ReadToEndAsync(cancellationToken)).Trim();
            string said = (await error).Trim();
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0 && output.Length > 0 ? output : throw new InitException($"{tool} {command} failed: {said}");
        }
        catch (Win32Exception)
        {
            throw new InitException($"{tool} was not found: install wireguard-tools");
        }
        catch (IOException failure)
        {
            throw new InitException($"{tool} {command} failed: {failure.Message}");
        }
    }
}
