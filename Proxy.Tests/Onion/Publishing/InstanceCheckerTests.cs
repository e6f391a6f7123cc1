using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>Checks of instances against a SOCKS port that plays tor.</summary>
public class InstanceCheckerTests
{
    private static readonly InstanceCheck Tcp = new(InstanceCheckKind.Tcp, 80, ""), Http = new(InstanceCheckKind.Http, 8080, "/up");

    // 05 00 00 01 0.0.0.0 port 0
    private static readonly byte[] Connected = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    [TestCase(new byte[] { 5, 2 }, true, "port 80 took the connection")]
    [TestCase(new byte[] { 5, 0xFF }, null, "the SOCKS port takes no user name and password: it is not tor's")]
    public async Task Tcp_check_needs_a_connection(byte[] greeting, bool? passed, string detail)
    {
        using var server = new Server(greeting, [1, 0], Connected);

        var outcome = await RunAsync(server.EndPoint, Tcp);

        Assert.That(outcome, Is.EqualTo(new CheckOutcome(passed, detail)));
    }

    [TestCase((byte)0xF2, "port 80: no introduction point answered")]
    [TestCase((byte)0xF0, "port 80: its descriptor was not found")]
    [TestCase((byte)5, "port 80: it refused the connection")]
    [TestCase((byte)1, "port 80: SOCKS error 01")]
    public async Task Error_of_tor_is_told(byte code, string detail)
    {
        using var server = new Server([5, 2], [1, 0], [5, code, 0, 1, 0, 0, 0, 0, 0, 0]);

        Assert.That(await RunAsync(server.EndPoint, Tcp), Is.EqualTo(new CheckOutcome(false, detail)));
    }

    [TestCase("HTTP/1.1 204 No Content\r\n\r\n", true, "/up was answered with status 204")]
    [TestCase("HTTP/1.1 302 Found\r\n\r\n", true, "/up was answered with status 302")]
    [TestCase("HTTP/1.1 503 Down\r\n\r\n", false, "/up was answered with status 503")]
    [TestCase("SSH-2.0-OpenSSH\r\n", false, "port 8080: what answered does not speak HTTP")]
    [TestCase("", false, "port 8080: what answered does not speak HTTP")]
    public async Task Http_check_needs_a_status_below_400(string answer, bool passed, string detail)
    {
        using var server = new Server([5, 2], [1, 0], Connected, System.Text.Encoding.ASCII.GetBytes(answer));

        Assert.That(await RunAsync(server.EndPoint, Http), Is.EqualTo(new CheckOutcome(passed, detail)));
        Assert.That(server.Heard, Does.Contain($"GET /up HTTP/1.1\r\nHost: {Instances.All[0].Address}:8080\r\n"));
    }

    [Test]
    public async Task Port_that_is_not_there_and_silence_are_told_apart()
    {
        Assert.That((await RunAsync(new IPEndPoint(IPAddress.Loopback, FreePort.Find()), Tcp)).Passed, Is.Null);
        using var silent = new Server([5, 2], [1, 0]);
        Assert.That(
            (await RunAsync(silent.EndPoint, Tcp)).Detail,
            Is.EqualTo("port 80: no answer within 1 s").Or.EqualTo("port 80: the connection broke"));
    }

    private static Task<CheckOutcome> RunAsync(EndPoint socks, InstanceCheck check) =>
        InstanceChecker.RunAsync(
            socks, Instances.All[0].Address, check, TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None);

    /// <summary>Gives one answer to each message, then ends its side.</summary>
    private sealed class Server : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Task<string> _serving;

        public Server(params byte[][] answers)
        {
            _listener.Start();
            _serving = ServeAsync(answers);
        }

        public EndPoint EndPoint => _listener.LocalEndpoint;

        public string Heard => _serving.Result;

        public void Dispose() => _listener.Dispose();

        private async Task<string> ServeAsync(byte[][] answers)
        {
            var heard = new System.Text.StringBuilder();
            try
            {
                using var client = await _listener.AcceptSocketAsync();
                byte[] buffer = new byte[1024];
                foreach (byte[] answer in answers)
                {
                    int read = await client.ReceiveAsync(buffer);
                    heard.Append(System.Text.Encoding.Latin1.GetString(buffer, 0, read));
                    await client.SendAsync(answer);
                }
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }

            return heard.ToString();
        }
    }
}
