using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.TorControl;

namespace TorBalancer.Benchmarks.SideBySide.Scenarios;

/// <summary>
/// Connections that the kernel turns, by turns to tor's own TransPort and to the daemon's transparent listener, over the same circuits of
/// the same workers. In the network namespace of <see cref="TransparentScenario"/>: where a connection is turned to is told by the address
/// it comes from, and what the exits open (from 127.0.0.1) ends at the network's web server.
/// </summary>
internal static partial class TransPortScenario
{
    private static readonly IPAddress Carried = IPAddress.Parse("127.0.1.1");
    private static readonly IPAddress Target = IPAddress.Parse("198.51.100.1");

    public static string Run(Bench bench) => TorNetwork.Run(
        bench, "Transparent through real tor, beside tor's TransPort",
        network =>
        {
            int[] ports = [.. network.SocksPorts.Select(static _ => LoopbackSocket.FreePort())];
            OpenTransPortsAsync(network.Configuration, ports).GetAwaiter().GetResult();
            int port = LoopbackSocket.FreePort();
            string rules = string.Concat(ports.Select(static (port, i) => Turned(Straight(i), $":{port}")));
            TransparentScenario.Run(
                "nft", $"table ip turned {{ chain output {{ type nat hook output priority -100; {rules} {Turned(Carried, $":{port}")} "
                    + $"{Turned(IPAddress.Loopback, "")} }}; }}");
            using var daemon = network.StartDaemon(
                $"[Listener:lan]\nAddress = 127.0.0.1:{port}\nProtocols = transparent\n[Rule:turned]\nNetwork = {Target}/32\nRoute = socks",
                port);
            var origin = new IPEndPoint(Target, network.OriginPort);
            var fetches = new FetchesByTurns(
                (i, bytes) => OriginFetch.RunTransparent(Straight(i % ports.Length), origin, bytes),
                (_, bytes) => OriginFetch.RunTransparent(Carried, origin, bytes));
            fetches.WarmUp(3 * ports.Length);
            return $"Private network, {ports.Length} workers. {fetches.Measure(bench.Options.Quick, "TransPort")}";
        });

    /// <summary>Where clients of this worker's TransPort come from.</summary>
    private static IPAddress Straight(int worker) => new([127, 0, 2, (byte)(worker + 1)]);

    private static string Turned(IPAddress source, string port) =>
        $"ip saddr {source} ip daddr {Target} meta l4proto tcp redirect {(port.Length > 0 ? "to " : "")}{port};";

    /// <summary>
    /// Gives each worker a TransPort whose streams share circuits with those of its SocksPort; else tor keeps listeners, and clients of
    /// different addresses, apart.
    /// </summary>
    private static async Task OpenTransPortsAsync(string configuration, int[] ports)
    {
        const string shared = "SessionGroup=9 NoIsolateClientAddr";
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        foreach (var (match, port) in ControlPort().Matches(configuration).Zip(ports))
        {
            await using var tor = await ControlConnection.ConnectAsync(
                new UnixDomainSocketEndPoint(match.Groups[1].Value), ControlCredentials.Of(match.Groups[2].Value, ""),
                ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, deadline.Token);
            var socks = await tor.GetConfAsync(["SocksPort"], deadline.Token);
            await tor.SetConfAsync(
                [
                    .. socks.Select(static line => KeyValuePair.Create(line.Key, (string?)$"{line.Value} {shared}")),
                    KeyValuePair.Create("TransPort", (string?)string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port} {shared}")),
                ],
                deadline.Token);
        }
    }

    [GeneratedRegex(@"^ControlPort = unix:(.+)\nControlCookie = (.+)", RegexOptions.Multiline)]
    private static partial Regex ControlPort();
}
