using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// What a new identity costs beside a used one, on a private Tor network with distance (30 ms one way to each relay): straight to tor
/// and through the daemon, by turns. The daemon has four workers; what a new identity costs straight is measured on four others, whose
/// circuits nobody builds ahead. All of them have served some twenty identities before: a tor that has just started serves the first
/// dozen from sets that it built in advance.
/// </summary>
internal static partial class IdentitiesScenario
{
    private const int Workers = 4, Relays = 8, Exits = 4, IdentitiesBefore = 24;

    private const double UsedPerSecond = 5;

    private static readonly double[] Rates = [2, 10, 20];

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5), Quiet = TimeSpan.FromMinutes(10);

    public static string Run(Bench bench)
    {
        string? executable = TorBalancers.Released(bench.Options.Root) ?? TorBalancers.FrameworkDependent(bench.Options.Root);
        if (executable is null)
            return "### Identities\n\nLeft out: torbalancer has not been built.\n";
        string directory = Directory.CreateTempSubdirectory("torbalancer-bench-id-").FullName;
        string everywhere = $"taskset -c 0-{Environment.GetEnvironmentVariable("BENCH_CORES") ?? "1"}";
        string network = Path.Combine(directory, "net");
        try
        {
            string up = $"{everywhere} {executable} testnet up --directory {network} --latency 30ms --relays {Relays} --exits {Exits} "
                + $"--workers {2 * Workers} 2>&1";
            if (ChildProcess.OutputOf(up) is null)
                return "### Identities\n\nLeft out: the test network did not start (see `torbalancer testnet up`).\n";
            string configuration = File.ReadAllText(Path.Combine(network, "torbalancer.conf"));
            return MeasureAsync(bench, $"{everywhere} {executable}", directory, configuration).GetAwaiter().GetResult();
        }
        finally
        {
            ChildProcess.OutputOf($"{executable} testnet down --directory {network} 2>&1");
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<string> MeasureAsync(Bench bench, string executable, string directory, string configuration)
    {
        int origin = int.Parse(OriginPort().Match(configuration).Groups[1].Value, CultureInfo.InvariantCulture);
        string[] sections = configuration.Split("\n[Worker:");
        int[] ports =
        [
            .. sections.Skip(1).Select(
                static one => int.Parse(SocksPort().Match(one).Groups[1].Value, CultureInfo.InvariantCulture)),
        ];
        int[] ours = ports[..Workers], others = ports[Workers..];
        int port = LoopbackSocket.FreePort(), admin = LoopbackSocket.FreePort();
        string file = Path.Combine(directory, "bench.conf");
        File.WriteAllText(
            file,
            $"{string.Join("\n[Worker:", sections.Take(1 + Workers))}\n[Listener:main]\nAddress = 127.0.0.1:{port}\n"
                + $"[Admin]\nAddress = 127.0.0.1:{admin}\nSocket = none\n");
        using var daemon = ChildProcess.Start($"{executable} run --config {file} >{directory}/daemon.log 2>&1", null);
        daemon.WaitForPort(port);

        int run = 0;
        var window = TimeSpan.FromSeconds(bench.Options.Quick ? 10 : 30);
        await Load("before", 8, TimeSpan.Zero, TimeSpan.FromSeconds(2 * Workers * IdentitiesBefore / 8.0), Fresh("all", ports));

        // Half of an identity's price is its circuit. The same few, each used before, pay none.
        var straightUsed = Used("straight", ours);
        var daemonUsed = Used("through the daemon", [port]);
        await IdentityLoad.RunAsync([straightUsed, daemonUsed], UsedPerSecond, WarmUp, window, origin);

        var used = new MarkdownTable("used identities", "p50 ms", "p99 ms", "failures");
        Row(used, straightUsed.Name, straightUsed);
        Row(used, daemonUsed.Name, daemonUsed);
        double usedP50 = At(daemonUsed, 0.5), usedP99 = At(daemonUsed, 0.99);
        var fresh = new MarkdownTable(
            "fresh identities", "straight p50", "p99", "through the daemon p50", "p99", "× used p50", "× used p99", "unused", "failures");
        foreach (double rate in Rates)
            await AddAsync(string.Create(CultureInfo.InvariantCulture, $"{rate}/s"), rate, WarmUp, window);
        if (!bench.Options.Quick)
        {
            await Task.Delay(Quiet);
            await AddAsync("2/s, the first ones after ten quiet minutes", Rates[0], TimeSpan.Zero, window);
        }

        return $"### Identities (private network, 30 ms one way to each relay, {Workers} workers)\n\nTime to the first byte. *unused*: "
            + $"circuits that were launched ahead meanwhile and not used, by those that were.\n\n{used}\nUsed through the daemon: "
            + $"{MarkdownTable.Number(usedP50 / At(straightUsed, 0.5))} × straight at p50.\n\n{fresh}";

        async Task AddAsync(string name, double rate, TimeSpan warmUp, TimeSpan measured)
        {
            var straight = Fresh("straight", others);
            var through = Fresh("through", [port]);
            var before = await WarmTotals.ReadAsync(admin);
            await IdentityLoad.RunAsync([straight, through], rate, warmUp, measured, origin);
            var after = await WarmTotals.ReadAsync(admin);
            fresh.Add(
                name, MarkdownTable.Number(At(straight, 0.5)), MarkdownTable.Number(At(straight, 0.99)),
                MarkdownTable.Number(At(through, 0.5)), MarkdownTable.Number(At(through, 0.99)),
                MarkdownTable.Number(At(through, 0.5) / usedP50), MarkdownTable.Number(At(through, 0.99) / usedP99),
                after.UnusedShareSince(before), (straight.Failures + through.Failures).ToString(CultureInfo.InvariantCulture));
            Console.Error.WriteLine($"{name}: {after}");
        }

        Task Load(string name, double rate, TimeSpan warmUp, TimeSpan measured, IdentityWay way) =>
            IdentityLoad.RunAsync([way with { Name = name }], rate, warmUp, measured, origin);

        IdentityWay Fresh(string name, int[] at)
        {
            int number = ++run;
            return new IdentityWay(
                name, i => at[i % at.Length], i => string.Create(CultureInfo.InvariantCulture, $"fresh.{number}.{i}"));
        }

        // Two for each worker; the daemon rotates over four, so that each of its two comes to each of them in the warm-up.
        static IdentityWay Used(string name, int[] at) => new(
            name, i => at[i % at.Length],
            i => string.Create(CultureInfo.InvariantCulture, $"used.{name[0]}.{i / Workers % 2}"));
    }

    private static void Row(MarkdownTable table, string name, IdentityWay way) => table.Add(
        name, MarkdownTable.Number(At(way, 0.5)), MarkdownTable.Number(At(way, 0.99)),
        way.Failures.ToString(CultureInfo.InvariantCulture));

    private static double At(IdentityWay way, double share)
    {
        double[] sorted = [.. way.Times.Order()];
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(Math.Ceiling(share * sorted.Length), sorted.Length) - 1];
    }

    [GeneratedRegex(@"^Canary = http://[^:]+:(\d+)/", RegexOptions.Multiline)]
    private static partial Regex OriginPort();

    [GeneratedRegex(@"^SocksPort = (\d+)", RegexOptions.Multiline)]
    private static partial Regex SocksPort();
}
