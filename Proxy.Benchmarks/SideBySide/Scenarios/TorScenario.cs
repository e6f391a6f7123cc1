using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// What the daemon adds in front of real tor: the same fetches from a private Tor network, by turns straight from a
/// worker's SocksPort and through the daemon. Isolation is off here, so that both use the same circuits.
/// </summary>
internal static class TorScenario
{
    public static string Run(Bench bench) => TorNetwork.Run(
        bench, "Through real tor",
        network =>
        {
            int[] workers = network.SocksPorts;
            int origin = network.OriginPort, port = LoopbackSocket.FreePort();
            using var daemon = network.StartDaemon($"[Listener:main]\nAddress = 127.0.0.1:{port}", port);
            var fetches = new FetchesByTurns(
                (i, bytes) => OriginFetch.Run(workers[i % workers.Length], origin, bytes),
                (_, bytes) => OriginFetch.Run(port, origin, bytes));
            fetches.WarmUp(3 * workers.Length);
            return $"Private network, {workers.Length} workers. {fetches.Measure(bench.Options.Quick, "direct")}";
        });
}
