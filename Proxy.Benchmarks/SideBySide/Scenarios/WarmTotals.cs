using System.Text.Json;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>What the daemon's workers say of their warm circuits, all together.</summary>
internal readonly record struct WarmTotals(long Launched, long Used, long Unused, long Failed, long Clean)
{
    /// <summary>From the admin API.</summary>
    public static async Task<WarmTotals> ReadAsync(int adminPort)
    {
        using var http = new HttpClient();
        using var answer = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{adminPort}/api/v1/workers")));
        var sum = new WarmTotals();
        foreach (var worker in answer.RootElement.GetProperty("workers").EnumerateArray())
        {
            if (!worker.TryGetProperty("tor", out var tor) || !tor.TryGetProperty("warm", out var warm))
                continue;
            sum = new WarmTotals(
                sum.Launched + Of("launched"), sum.Used + Of("used"), sum.Unused + Of("unused"), sum.Failed + Of("failed"),
                sum.Clean + Of("clean"));

            long Of(string name) => warm.GetProperty(name).GetInt64();
        }

        return sum;
    }

    /// <summary>Launched in between and not used, by those that were.</summary>
    public string UnusedShareSince(WarmTotals before)
    {
        long used = Used - before.Used, launched = Launched - before.Launched;
        return used == 0 ? "–" : MarkdownTable.Percent(Math.Max(launched - used, 0) / (double)used);
    }
}
