using System.Diagnostics;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// Connections that the kernel turns to us, beside those of clients that know us, at one daemon. In a network namespace of its own, whose
/// NAT all rows have: it keeps a record of every connection there.
/// </summary>
internal static class TransparentScenario
{
    public const string Name = "transparent";

    /// <summary>198.51.100.1, which leads nowhere but to the rule.</summary>
    public const uint Target = 0xC6336401;

    private const string Network = "198.51.100.0/24";

    public static IEnumerable<Comparison> Run(Bench bench)
    {
        if (!bench.Options.Only.Contains(Name))
            yield break;
        string ours = bench.Options.Forwarders?.FirstOrDefault(TorBalancers.IsName) ?? TorBalancers.Name;
        var spec = TorBalancers.Create(bench.Options.Root, ours, before: bench.Options.Before, isTransparent: true)
            ?? throw new InvalidOperationException($"{ours} has not been built");
        using var forwarder = bench.Start(spec);
        // With its source named: an interface that has host addresses alone gives a connection 0.0.0.0, which nobody can answer.
        Run("ip", "route", "add", Network, "dev", "lo", "src", "127.0.0.1");
        Run("nft", $"table ip bench {{ chain output {{ type nat hook output priority -100; ip daddr {Network} "
            + $"meta l4proto tcp redirect to :{forwarder.TransparentPort}; }}; }}");
        // The kernel keeps a record of each connection for two minutes after its end, and drops new ones when it holds 262,144.
        foreach (string state in (string[])["time_wait", "close", "last_ack"])
            File.WriteAllText($"/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_{state}", "1");
        foreach (var kind in (LoadKind[])[LoadKind.Connections, LoadKind.Down, LoadKind.Up])
        {
            foreach (var client in (ClientProtocol[])[ClientProtocol.Connect, ClientProtocol.Socks5, ClientProtocol.Transparent])
                bench.WarmUp(forwarder, kind, client);
        }

        foreach (int connections in bench.Options.Concurrency ?? [64, 1000])
            yield return Comparison.RunTransparent(bench, forwarder, Cell(LoadKind.Connections, connections));
        foreach (var kind in (LoadKind[])[LoadKind.Down, LoadKind.Up])
            yield return Comparison.RunTransparent(bench, forwarder, Cell(kind, bench.Options.Concurrency?[0] ?? 8));
        Run("nft", "delete", "table", "ip", "bench");
    }

    /// <summary>Runs what changes our network namespace.</summary>
    public static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}; root is needed for {Name}");
    }

    private static Cell Cell(LoadKind kind, int connections) => new(Name, kind, ClientProtocol.Transparent, connections);
}
