using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>Two ways to fetch the same, taken by turns: medians of the time to the first byte and of the throughput.</summary>
/// <param name="straight">The way without the daemon, given how many fetches went before it, the bytes to fetch.</param>
/// <param name="carried">The way through the daemon.</param>
internal sealed class FetchesByTurns(Func<int, int, OriginFetch> straight, Func<int, int, OriginFetch> carried)
{
    private const int Small = 1, Big = 20_000_000;

    /// <summary>So many of each, which open what is opened once.</summary>
    public void WarmUp(int count)
    {
        for (int i = 0; i < count; i++)
        {
            straight(i, Small);
            carried(i, Small);
        }
    }

    /// <param name="way">What the way without the daemon is called.</param>
    public string Measure(bool isQuick, string way)
    {
        int small = isQuick ? 200 : 1000, big = isQuick ? 8 : 24;
        var table = new MarkdownTable("", way, "through the daemon", "ratio", $"noise of {way}");
        Add(table, "time to first byte, ms", small, Small, static fetch => fetch.FirstByte * 1000);
        Add(table, $"throughput of {Big / 1_000_000} MB, MB/s", big, Big, static fetch => fetch.BytesPerSecond / 1e6);
        return $"Medians of {small} and {big} fetches by turns. Noise: how far apart the medians of every other four fetches by "
            + $"{way} are.\n\n{table}";
    }

    private void Add(MarkdownTable table, string what, int count, int bytes, Func<OriginFetch, double> figure)
    {
        List<double> ones = [], others = [];
        for (int i = 0; i < count; i++)
        {
            if (i % 2 == 0)
                others.Add(figure(carried(i, bytes)));
            ones.Add(figure(straight(i, bytes)));
            if (i % 2 != 0)
                others.Add(figure(carried(i, bytes)));
        }

        double even = MarkdownTable.Median(ones.Where(static (_, i) => i / 4 % 2 == 0));
        double odd = MarkdownTable.Median(ones.Where(static (_, i) => i / 4 % 2 == 1));
        double one = MarkdownTable.Median(ones), other = MarkdownTable.Median(others);
        table.Add(
            what, MarkdownTable.Number(one), MarkdownTable.Number(other), MarkdownTable.Number(other / one),
            $"± {MarkdownTable.Percent(Math.Abs(even - odd) / one)}");
    }
}
