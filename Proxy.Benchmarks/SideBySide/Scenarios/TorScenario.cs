using System.Globalization;
using System.Text.RegularExpressions;
using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// What the daemon adds in front of real tor: the same fetches from a private Tor network, by turns straight from a
/// worker's SocksPort and through the daemon. Isolation is off here, so that both use the same circuits.
/// </summary>
internal static partial class TorScenario
{
    private const int Small = 1, Big = 20_000_000;

    public static string Run(Bench bench)
    {
        string? executable = TorBalancers.Released(bench.Options.Root) ?? TorBalancers.FrameworkDependent(bench.Options.Root);
        if (executable is null)
            return "### Through real tor\n\nLeft out: torbalancer has not been built.\n";
        string directory = Directory.CreateTempSubdirectory("torbalancer-bench-tor-").FullName;
        string everywhere = $"taskset -c 0-{Environment.GetEnvironmentVariable("BENCH_CORES") ?? "1"}";
        string network = Path.Combine(directory, "net");
        try
        {
            if (ChildProcess.OutputOf($"{everywhere} {executable} testnet up --directory {network} 2>&1") is null)
                return "### Through real tor\n\nLeft out: the test network did not start (see `torbalancer testnet up`).\n";
            return Measure(bench, executable, everywhere, directory, File.ReadAllText(Path.Combine(network, "torbalancer.conf")));
        }
        finally
        {
            ChildProcess.OutputOf($"{executable} testnet down --directory {network} 2>&1");
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string Measure(Bench bench, string executable, string everywhere, string directory, string configuration)
    {
        int origin = int.Parse(OriginPort().Match(configuration).Groups[1].Value, CultureInfo.InvariantCulture);
        int[] workers =
        [
            .. SocksPort().Matches(configuration).Select(static match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)),
        ];
        int port = LoopbackSocket.FreePort();
        string file = Path.Combine(directory, "bench.conf");
        File.WriteAllText(
            file,
            $"{configuration}\n[Listener:main]\nAddress = 127.0.0.1:{port}\n[Admin]\nAddress = none\nSocket = "
                + $"none\n[Balancing]\nIsolation = none\n");
        using var daemon = ChildProcess.Start($"{everywhere} {executable} run --config {file} >{directory}/daemon.log 2>&1", null);
        daemon.WaitForPort(port);

        for (int i = 0; i < 3 * workers.Length; i++)
        {
            OriginFetch.Run(workers[i % workers.Length], origin, Small);
            OriginFetch.Run(port, origin, Small);
        }

        var direct = (First: new List<double>(), Rate: new List<double>());
        var through = (First: new List<double>(), Rate: new List<double>());
        int small = bench.Options.Quick ? 200 : 1000, big = bench.Options.Quick ? 8 : 24;
        ByTurns(small, Small, static fetch => fetch.FirstByte * 1000, direct.First, through.First);
        ByTurns(big, Big, static fetch => fetch.BytesPerSecond / 1e6, direct.Rate, through.Rate);

        var table = new MarkdownTable("", "direct", "through the daemon", "ratio", "noise of direct");
        Row("time to first byte, ms", direct.First, through.First);
        Row($"throughput of {Big / 1_000_000} MB, MB/s", direct.Rate, through.Rate);
        return $"### Through real tor (private network, {workers.Length} workers)\n\nMedians of {small} and {big} fetches by turns. "
            + $"Noise: how far apart the medians of every other four direct fetches are.\n\n{table}";

        void ByTurns(int count, int bytes, Func<OriginFetch, double> figure, List<double> straight, List<double> carried)
        {
            for (int i = 0; i < count; i++)
            {
                if (i % 2 == 0)
                    carried.Add(figure(OriginFetch.Run(port, origin, bytes)));
                straight.Add(figure(OriginFetch.Run(workers[i % workers.Length], origin, bytes)));
                if (i % 2 != 0)
                    carried.Add(figure(OriginFetch.Run(port, origin, bytes)));
            }
        }

        void Row(string what, List<double> straight, List<double> carried)
        {
            double even = MarkdownTable.Median(
                straight.Where(
                    static (_, i) => i / 4 % 2 == 0)), odd = MarkdownTable.Median(straight.Where(static (_, i) => i / 4 % 2 == 1));
            double one = MarkdownTable.Median(straight), other = MarkdownTable.Median(carried);
            table.Add(
                what, MarkdownTable.Number(one), MarkdownTable.Number(other), MarkdownTable.Number(other / one),
                $"± {MarkdownTable.Percent(Math.Abs(even - odd) / one)}");
        }
    }

    [GeneratedRegex(@"^Canary = http://[^:]+:(\d+)/", RegexOptions.Multiline)]
    private static partial Regex OriginPort();

    [GeneratedRegex(@"^SocksPort = (\d+)", RegexOptions.Multiline)]
    private static partial Regex SocksPort();
}
