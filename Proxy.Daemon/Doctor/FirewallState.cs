using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Doctor;

/// <summary>The rules of nftables that are loaded.</summary>
/// <param name="Rules">Null: they could not be seen.</param>
/// <param name="Problem">Why not.</param>
internal sealed record FirewallState(NftRuleset? Rules, string Problem = "")
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Asks nft, which needs the right to administer the network (CAP_NET_ADMIN).</summary>
    public static async Task<FirewallState> AskAsync(CancellationToken cancellationToken)
    {
        // /usr/sbin is not in everybody's PATH.
        if ((Executables.Find("nft") ?? Array.Find(["/usr/sbin/nft", "/sbin/nft"], File.Exists)) is not { } program)
            return new FirewallState(null, "nft is not installed");
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(Limit);
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program)
            {
                ArgumentList = { "-j", "list", "ruleset" },
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var error = process.StandardError.ReadToEndAsync(timer.Token);
            string output = await process.StandardOutput.ReadToEndAsync(timer.Token);
            string said = (await error).Split('\n')[0].Trim();
            await process.WaitForExitAsync(timer.Token);
            return process.ExitCode == 0 ? new FirewallState(NftRuleset.Read(output)) : new FirewallState(null, $"nft said: {said}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FirewallState(null, "nft did not answer within 5 s");
        }
        catch (Exception failure) when (failure is Win32Exception or IOException or JsonException)
        {
            return new FirewallState(null, failure.Message);
        }
    }
}
