using System.Globalization;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet.Supervision;

/// <summary>Tells people how to use a running network.</summary>
internal static class TestnetSummary
{
    public static void Write(TextWriter output, TestnetStatus status)
    {
        TestnetState state = status.State!;
        Line(
            output,
            $"Test network in {status.Directory}: {status.NodesRunning} tor processes, {status.MemoryBytes / 1_000_000} MB, started in "
                + $"{state.StartSeconds:F1} s");
        if (state.LatencyMs > 0)
            Line(output, $"  every relay and exit is {state.LatencyMs:0.###} ms away, one way");
        if (status.NodesEnded.Count > 0)
            Line(output, $"  not running: {string.Join(", ", status.NodesEnded)}");
        foreach (TestnetNodeState worker in state.Nodes.Where(n => n.Role == TestNodeRole.Worker))
            Line(output, $"  {worker.Name}  SOCKS 127.0.0.1:{worker.SocksPort}  control unix:{worker.ControlSocket}");
        foreach (TestnetNodeState exit in state.Nodes.Where(n => n.Role == TestNodeRole.Exit))
            Line(output, $"  {exit.Name}        exit {exit.Fingerprint}");
        Line(
            output,
            $"  origin     http://{state.OriginName}:{state.OriginPort}/  (any other name below .test too, and "
                + $"http://127.0.0.1:{state.OriginPort}/)");
        Line(output, $"  onion      http://{state.OnionAddress}/");
        Line(output, $"  echo       {state.OriginName}:{state.EchoPort} (TCP)");
        Line(
            output,
            $"  failures   port {state.ClosedPort} of 127.0.0.1 refuses; {state.BlockedAddress} (blocked.test) is refused by every "
                + $"exit's policy;");
        Line(output, $"             nx.test does not exist; servfail.test fails; silent.test is never answered; empty.test has no address");
        Line(output, $"  settings   {state.ConfFile}");
        if (state.Nodes.FirstOrDefault(n => n.Role == TestNodeRole.Worker) is not { } first)
            return;
        Line(output, $"Try:");
        Line(output, $"  curl --socks5-hostname 127.0.0.1:{first.SocksPort} http://{state.OriginName}:{state.OriginPort}/exit");
        Line(output, $"  curl --socks5-hostname 127.0.0.1:{first.SocksPort} http://{state.OnionAddress}/");
    }

    private static void Line(TextWriter output, string text) => output.WriteLine(text);
}
