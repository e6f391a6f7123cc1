using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Scenarios;

public sealed partial class TransparentTests
{
    /// <summary>
    /// What the tests have besides the file that init has written: targets in the log, the network's own canary, a rule, a look at names,
    /// and a second listener, for TPROXY.
    /// </summary>
    private string[] Besides =>
    [
        "--Admin:Address=none", "--Admin:Socket=none", "--Log:Targets=yes", "--Connect:Timeout=20s",
        $"--Health:Canary={Url(_lab.Network.OriginName, "/")}", $"--Health:OnionCanary=http://{Onion}/", "--Listener:lan:Sniff=yes",
        "--Rule:ads:Domain=ads.test", "--Rule:ads:Route=reject", Text($"--Listener:tproxy:Address=[::]:{TransparentLab.TproxyPort}"),
        "--Listener:tproxy:Protocols=transparent", "--Listener:tproxy:Transparent=tproxy",
        "--Listener:tproxy:AllowFrom=10.77.1.0/24, fd77:1::/64",
    ];

    private string Url(string host, string path) => Text($"http://{host}:{_lab.Network.OriginPort}{path}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private Task<DaemonUnderTest> StartDaemonAsync(CancellationToken token) =>
        DaemonUnderTest.StartFileAsync(_lab.Configuration, _lab.Directory, _lab.Gateway.Under, token, Besides);

    /// <summary>curl on a host of the network; fails the test unless it succeeds.</summary>
    private Task<string> CurlAsync(int host, CancellationToken token, params string[] arguments) =>
        _lab.Lan[host].RunAsync(token, ["curl", "--disable", "--silent", "--show-error", "--max-time", "40", .. arguments]);

    /// <summary>Soon, and by a reset: while connecting, or when something has been said.</summary>
    private async Task AssertResetAsync(
        string address, int port, CancellationToken token, string says = "", string how = "ConnectionResetError")
    {
        string ended = await _lab.Lan[0].RunAsync(token, "python3", "-c", string.Create(CultureInfo.InvariantCulture, $"""
            import socket
            try:
                s = socket.create_connection(('{address}', {port}), timeout=30)
                s.sendall(b'{says}')
                print('received', s.recv(100))
            except OSError as failure:
                print(type(failure).__name__)
            """));
        Assert.That(ended.Trim(), Is.EqualTo(how), $"{address} port {port}");
    }

    /// <summary>The answer section of dig, and its status in front.</summary>
    private async Task<string> DigAsync(CancellationToken token, params string[] question)
    {
        string said = await _lab.Lan[0].RunAsync(token, ["dig", "+tries=1", "+time=30", "+noall", "+comments", "+answer", .. question]);
        string status = said[(said.IndexOf("status: ", StringComparison.Ordinal) + 8)..];
        string[] answers =
        [
            .. said.Split('\n').Where(static line => line.Length > 0 && line[0] != ';')
                .Select(static line => string.Join(' ', line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[3..])),
        ];
        return string.Join(' ', [status[..status.IndexOf(',', StringComparison.Ordinal)], .. answers]);
    }

    /// <summary>
    /// One of each kind of packet to somewhere else, over both versions: TCP, UDP, QUIC's port, ICMP, another protocol of IP. Gives what
    /// became of the two TCP connections.
    /// </summary>
    private Task<string> SendEverythingAsync(CancellationToken token) => _lab.Lan[0].RunAsync(token, "python3", "-c", """
        import socket
        for host, ping in (('198.51.100.77', (socket.AF_INET, 1, bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0]))),
                ('2001:db8::77', (socket.AF_INET6, 58, bytes([128, 0, 0, 0, 0, 0, 0, 0])))):
            family = ping[0]
            for port in (443, 123, 9999):
                s = socket.socket(family, socket.SOCK_DGRAM)
                s.sendto(b'x' * 40, (host, port))
            for protocol, data in ((ping[1], ping[2]), (132, b'x' * 20)):
                s = socket.socket(family, socket.SOCK_RAW, protocol)
                s.sendto(data, (host, 0))
            s = socket.socket(family, socket.SOCK_STREAM)
            s.settimeout(1)
            try:
                s.connect((host, 81)); print('connected')
            except OSError as failure:
                print(type(failure).__name__)
        """);

    private async Task<List<ControlConnection>> WatchWorkersAsync(CancellationToken token)
    {
        var all = new List<ControlConnection>();
        foreach (var node in _lab.Network.Nodes.Where(static node => node.Role == TestNodeRole.Worker))
        {
            var control = await ControlConnection.ConnectAsync(
                new UnixDomainSocketEndPoint(node.ControlSocket), new ControlCredentials(CookiePath: node.Cookie),
                ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);
            await control.SetEventsAsync(["STREAM"], token);
            all.Add(control);
        }

        return all;
    }

    /// <summary>The circuits that have carried streams since the subscription, each with the passwords of those.</summary>
    private static Dictionary<string, HashSet<string>> CircuitsOf(IEnumerable<ControlSubscription> watches)
    {
        var found = new Dictionary<string, HashSet<string>>();
        int worker = 0;
        foreach (var watch in watches)
        {
            worker++;
            while (watch.Events.TryRead(out var one))
            {
                if (one is StreamEvent { Stream: { CircuitId: { } circuit, SocksPassword: { } password } })
                {
                    string id = $"{worker}/{circuit}";
                    if (!found.TryGetValue(id, out var passwords))
                        found.Add(id, passwords = []);
                    passwords.Add(password);
                }
            }
        }

        return found;
    }
}
