using System.Net.Sockets;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>Where fetches go, and what they took.</summary>
/// <param name="Name">For the table.</param>
/// <param name="PortOf">The SOCKS port of the fetch with this number.</param>
/// <param name="IdentityOf">Its identity.</param>
internal sealed record IdentityWay(string Name, Func<int, int> PortOf, Func<int, string> IdentityOf)
{
    private int _count;

    /// <summary>Milliseconds to the first byte.</summary>
    public List<double> Times { get; } = [];

    public int Failures { get; set; }

    public int Next() => _count++;
}

/// <summary>Fetches that begin at a steady rate, whatever those before them take.</summary>
internal static class IdentityLoad
{
    /// <summary>Each way gets so many a second, by turns; those that begin within the warm-up are not counted.</summary>
    public static async Task RunAsync(
        IReadOnlyList<IdentityWay> ways, double perSecond, TimeSpan warmUp, TimeSpan window, int originPort)
    {
        var step = TimeSpan.FromSeconds(1 / (perSecond * ways.Count));
        using var timer = new PeriodicTimer(step);
        var running = new List<Task>();
        int total = (int)((warmUp + window) / step), skipped = (int)(warmUp / step);
        for (int i = 0; i < total; i++)
        {
            var way = ways[i % ways.Count];
            running.Add(FetchAsync(way, originPort, counts: i >= skipped));
            await timer.WaitForNextTickAsync();
        }

        await Task.WhenAll(running);
    }

    private static async Task FetchAsync(IdentityWay way, int originPort, bool counts)
    {
        int number = way.Next();
        try
        {
            double time = await IdentityFetch.RunAsync(way.PortOf(number), originPort, way.IdentityOf(number));
            lock (way.Times)
            {
                if (counts)
                    way.Times.Add(time);
            }
        }
        catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException)
        {
            lock (way.Times)
                way.Failures++;
        }
    }
}
