using TorBalancer.Benchmarks.SideBySide.Forwarders;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>Which loads a run consists of.</summary>
internal static class Cells
{
    private static readonly RequestShape[] Requests =
    [
        new(Up: false, SmallPage, KeepAlive: false), new(Up: false, SmallPage, KeepAlive: true),
        new(Up: false, MediumBody, KeepAlive: true), new(Up: true, MediumBody, KeepAlive: true),
        new(Up: false, LargeBody, KeepAlive: true), new(Up: true, LargeBody, KeepAlive: true),
    ];

    private const int SmallPage = 270, MediumBody = 64 * 1024, LargeBody = 10 * 1024 * 1024;

    /// <summary>The loads of HTTP requests in absolute form.</summary>
    public static IEnumerable<Cell> OfRequests(RunOptions options) =>
        from connections in options.Concurrency ?? [16]
        from request in options.Only.Contains("requests") ? Requests : []
        select new Cell("requests", LoadKind.Requests, ClientProtocol.Http, connections) { Request = request };

    /// <summary>Those whose rounds are processes of their own.</summary>
    public static IEnumerable<Cell> Cold(RunOptions options) =>
        from client in (ClientProtocol[])[ClientProtocol.Socks5, ClientProtocol.Connect]
        from connections in options.Concurrency ?? [64]
        where options.Only.Contains("cold")
        select new Cell("cold", LoadKind.Connections, client, connections);

    /// <summary>Those of forwarders that run side by side.</summary>
    public static IEnumerable<Cell> Of(RunOptions options)
    {
        if (options.Only.Contains("connections"))
        {
            foreach (int connections in options.Concurrency ?? (options.Quick ? [64] : [1, 64, 1000, 4000]))
                yield return new Cell("connections", LoadKind.Connections, ClientProtocol.Socks5, connections);
            foreach (int connections in options.Concurrency ?? (options.Quick ? [64] : [64, 1000]))
                yield return new Cell("connections", LoadKind.Connections, ClientProtocol.Connect, connections);
        }

        if (options.Only.Contains("bulk"))
        {
            foreach (int connections in options.Concurrency ?? (options.Quick ? [8] : [1, 8, 64]))
            {
                yield return new Cell("bulk", LoadKind.Down, ClientProtocol.Socks5, connections);
                yield return new Cell("bulk", LoadKind.Up, ClientProtocol.Socks5, connections);
            }
        }

        if (options.Only.Contains("roundtrips"))
        {
            foreach (int connections in options.Concurrency ?? (options.Quick ? [1, 64] : [1, 64, 1000, 4000]))
                yield return new Cell("roundtrips", LoadKind.RoundTrips, ClientProtocol.Socks5, connections);
        }
    }
}
