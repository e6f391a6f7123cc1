using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// What a tunnel costs that is open and silent: resident memory and descriptors, against the same process before them, when its code has
/// settled.
/// </summary>
internal static class IdleScenario
{
    // The daemon gives memory back after two to four quiet seconds.
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    /// <summary>Tunnels that come and go before the base is taken: enough for the daemon to give memory back afterwards.</summary>
    private const int First = 500;

    /// <summary>KiB; the base is found when they leave no more than this less behind than those before.</summary>
    private const int Steady = 256;

    private const int MostTimes = 6;

    public static string Run(Bench bench)
    {
        int[] steps = bench.Options.Concurrency ?? (bench.Options.Quick ? [1000] : [1000, 4000, 9000]);
        var table = new MarkdownTable(
            [
                "Forwarder", "RSS MiB, fresh", "RSS MiB, warm",
                .. steps.SelectMany(static step => (string[])[$"KiB each of {step:N0}", $"descriptors each of {step:N0}"]),
            ]);
        foreach (var spec in bench.Specs.Where(static spec => spec.Tunnels))
        {
            using var forwarder = bench.Start(spec);
            table.Add([spec.Name, .. RunOne(bench, forwarder, steps)]);
        }

        return $"### Idle tunnels, under the limit of descriptors that bench.sh sets (20,000)\n\n{table}";
    }

    private static IEnumerable<string> RunOne(Bench bench, RunningForwarder forwarder, int[] steps)
    {
        bench.Put(forwarder, new Cell("idle", LoadKind.Connections, ClientProtocol.Socks5, 1), 0.3);
        Task.Delay(Settle).Wait();
        yield return MarkdownTable.Number(ProcessFacts.ResidentKiB(forwarder.Id) / 1024.0);

        // What the first thousands of connections have compiled is not a tunnel's.
        bench.WarmUp(forwarder, LoadKind.Connections);
        long resident = SettledKiB(bench, forwarder);
        int descriptors = ProcessFacts.Descriptors(forwarder.Id);
        yield return MarkdownTable.Number(resident / 1024.0);

        using var load = Tunnels(bench, forwarder);
        string? problem = null;
        foreach (int step in steps)
        {
            try
            {
                if (problem is null)
                    load.Establish(step);
            }
            catch (Exception failure) when (failure is IOException or TimeoutException)
            {
                problem = failure.Message;
            }

            if (problem is null)
                Task.Delay(Settle).Wait();
            yield return problem ?? MarkdownTable.Number((ProcessFacts.ResidentKiB(forwarder.Id) - resident) / (double)step);
            yield return problem is not null
                ? "–"
                : MarkdownTable.Number((ProcessFacts.Descriptors(forwarder.Id) - descriptors) / (double)step);
        }
    }

    /// <summary>
    /// What a warm process holds. Some of what the warm-up left goes back only behind the next, smaller loads, and would count
    /// against the tunnels.
    /// </summary>
    private static long SettledKiB(Bench bench, RunningForwarder forwarder)
    {
        Task.Delay(Settle).Wait();
        long before, now = ProcessFacts.ResidentKiB(forwarder.Id);
        int times = 0;
        do
        {
            before = now;
            using (var few = Tunnels(bench, forwarder))
                few.Establish(First);
            Task.Delay(Settle).Wait();
            now = ProcessFacts.ResidentKiB(forwarder.Id);
        }
        while (now < before - Steady && ++times < MostTimes);
        return now;
    }

    private static LoadGenerator Tunnels(Bench bench, RunningForwarder forwarder) =>
        new(bench.Plan(forwarder, new Cell("idle", LoadKind.Hold, ClientProtocol.Socks5, 0), 0));
}
