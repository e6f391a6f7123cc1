using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Doctor;

/// <summary>The rules of nftables that are loaded.</summary>
/// <param name="Rules">Null: they could not be seen.</param>
/// <param name="Problem">Why not.</param>
internal sealed record FirewallState(NftRuleset? Rules, string Problem = "")
{
    /// <summary>What they turn, and where; null: they could not be seen.</summary>
    public GatewayWays? Ways { get; } = Rules is null ? null : new GatewayWays(Rules);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>The first that there is. /usr/sbin is not in everybody's PATH.</summary>
    private static string? Find(params string[] names) => names
        .Select(static name => Executables.Find(name) ?? Array.Find([$"/usr/sbin/{name}", $"/sbin/{name}"], File.Exists))
        .FirstOrDefault(static path => path is not null);

    private static async Task<(int Code, string Output, string Said)> RunAsync(
        string program, CancellationToken token, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync(token);
        string output = await process.StandardOutput.ReadToEndAsync(token);
        string said = (await error).Split('\n')[0].Trim();
        await process.WaitForExitAsync(token);
        return (process.ExitCode, output, said);
    }

    /// <summary>Whether an address is this machine's: of one of its interfaces, or of loopback.</summary>
    private static Func<IPAddress, bool> IsOwn()
    {
        HashSet<IPAddress> own =
        [
            .. NetworkInterface.GetAllNetworkInterfaces().SelectMany(static one => one.GetIPProperties().UnicastAddresses)
                .Select(static one => one.Address.IsIPv6LinkLocal ? new IPAddress(one.Address.GetAddressBytes()) : one.Address),
        ];
        return address => IPAddress.IsLoopback(address) || own.Contains(address);
    }

    /// <summary>Asks nft, which needs the right to administer the network (CAP_NET_ADMIN).</summary>
    public static async Task<FirewallState> AskAsync(CancellationToken cancellationToken)
    {
        if (Find("nft") is not { } program)
            return new FirewallState(null, "nft is not installed");
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(Limit);
        try
        {
            var (code, output, said) = await RunAsync(program, timer.Token, "-j", "list", "ruleset");
            if (code != 0)
                return new FirewallState(null, $"nft said: {said}");

            // What iptables has made of matches of its own it says itself.
            var iptables = new Dictionary<(string, string, string), List<IptablesRule>>();
            if (output.Contains("\"xt\"", StringComparison.Ordinal))
            {
                foreach (var (name, family) in new[] { ("iptables", "ip"), ("ip6tables", "ip6") })
                {
                    if (Find($"{name}-nft-save", $"{name}-save") is { } save)
                        IptablesRule.Read((await RunAsync(save, timer.Token)).Output, family, iptables);
                }
            }

            return new FirewallState(NftRuleset.Read(output, IsOwn(), iptables));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FirewallState(null, "nft did not answer within 5 s");
        }
        catch (Exception failure) when (failure is Win32Exception or IOException or JsonException or NetworkInformationException)
        {
            return new FirewallState(null, failure.Message);
        }
    }
}
