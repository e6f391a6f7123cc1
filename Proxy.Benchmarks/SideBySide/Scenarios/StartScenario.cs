using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// From the start of the process until a client can connect, and what it holds in memory before and after its first work.
/// </summary>
internal static class StartScenario
{
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(1);

    public static string Run(Bench bench)
    {
        int starts = bench.Options.Quick ? 5 : 15;
        var seconds = bench.Specs.Where(static spec => spec.Tunnels).ToDictionary(static spec => spec, static _ => new List<double>());
        for (int round = 0; round < starts; round++)
        {
            foreach (var spec in bench.Specs.Where(static spec => spec.Tunnels))
            {
                using var forwarder = bench.Start(spec);
                seconds[spec].Add(forwarder.StartSeconds);
            }
        }

        var table = new MarkdownTable("Forwarder", "start to listening ms", "fastest", "RSS MiB idle", "RSS MiB after work", "threads");
        foreach (var spec in bench.Specs.Where(static spec => spec.Tunnels))
        {
            using var forwarder = bench.Start(spec);
            Task.Delay(Settle).Wait();
            double idle = ProcessFacts.ResidentKiB(forwarder.Id) / 1024.0;
            bench.Put(forwarder, new Cell("start", LoadKind.Connections, ClientProtocol.Socks5, 64), 2);
            bench.Put(forwarder, new Cell("start", LoadKind.Down, ClientProtocol.Socks5, 8), 1);
            Task.Delay(Settle).Wait();
            table.Add(
                spec.Name, MarkdownTable.Number(MarkdownTable.Median(seconds[spec]) * 1000),
                MarkdownTable.Number(seconds[spec].Min() * 1000), MarkdownTable.Number(idle),
                MarkdownTable.Number(ProcessFacts.ResidentKiB(forwarder.Id) / 1024.0),
                $"{Directory.GetDirectories($"/proc/{forwarder.Id}/task").Length}");
        }

        return $"### Start and memory, median of {starts} starts\n\n{table}";
    }
}
