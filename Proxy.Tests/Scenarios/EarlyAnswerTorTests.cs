using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// The same with real tor in between: an exit closes a stream when its target has finished, and the worker then closes its side with
/// what it has not read of the client, which makes it a reset. The answer arrived before.
/// </summary>
public sealed class EarlyAnswerTorTests : ScenarioFixture
{
    private const string Answer = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 10\r\n\r\ntoo large\n";
    private const int Rounds = 10, Size = 8_000_000;

    private readonly CancellationTokenSource _stop = new();
    private Socket _origin = null!;
    private Task _serving = Task.CompletedTask;
    private string _file = "";

    private int OriginPort => ((IPEndPoint)_origin.LocalEndPoint!).Port;

    [OneTimeSetUp]
    public void StartOrigin()
    {
        // The exits let these ports through.
        _origin = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        for (int port = WebOrigin.LastPort - 1; ; port--)
        {
            try
            {
                _origin.Bind(new IPEndPoint(IPAddress.Loopback, port));
                break;
            }
            catch (SocketException) when (port > WebOrigin.LastPort - 100)
            {
            }
        }

        _origin.Listen(64);
        _serving = ServeAsync();
        _file = Path.GetTempFileName();
        File.WriteAllBytes(_file, new byte[Size]);
    }

    [OneTimeTearDown]
    public async Task StopOrigin()
    {
        await _stop.CancelAsync();
        _origin.Dispose();
        await _serving;
        File.Delete(_file);
        _stop.Dispose();
    }

    [TestCase("--proxy http://")]
    [TestCase("--proxytunnel --proxy http://")]
    [TestCase("--proxy socks5h://")]
    [CancelAfter(120_000)]
    public async Task Curl_that_posts_8_MB_sees_the_early_answer(string way, CancellationToken token)
    {
        int straight = way.Contains("socks", StringComparison.Ordinal)
            ? await CurlAsync($"--proxy socks5h://127.0.0.1:{Network.Workers[0].SocksPort}", token)
            : -1;
        if (straight >= 0)
            TestContext.Out.WriteLine($"without the proxy, straight to tor: {straight} of {Rounds}");
        Assert.That(await CurlAsync(way + Address, token), Is.EqualTo(Rounds));
    }

    [TestCase(true)]
    [TestCase(false)]
    [CancelAfter(120_000)]
    public async Task Client_that_writes_everything_and_only_then_reads_gets_the_early_answer(bool tunnel, CancellationToken token)
    {
        for (int round = 0; round < Rounds; round++)
        {
            await using var client = await Proxy.ConnectAsync();
            if (tunnel)
                await SocksClient.RequestAsync(client, "127.0.0.1", OriginPort, token);
            await client.WriteAsync(
                Encoding.ASCII.GetBytes(
                    $"POST {(tunnel ? "" : $"http://127.0.0.1:{OriginPort}")}/ HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * Size}\r\n\r\n"),
                token);
            await client.WriteAsync(new byte[2 * Size], token);
            Assert.That(
                Encoding.ASCII.GetString(await SocksClient.ReadAsync(client, 20, token)), Does.StartWith("HTTP/1.1 413 "),
                $"round {round}");
        }
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Client_that_finishes_behind_its_request_is_answered_in_absolute_form(CancellationToken token)
    {
        byte[] request = Encoding.ASCII.GetBytes($"GET {OriginByAddress}/exit HTTP/1.0\r\nHost: x\r\n\r\n");
        var result = await ClientProcess.RunAsync("nc.openbsd", ["-N", "127.0.0.1", Text(Proxy.Address.Port)], token, input: request);
        Assert.That(result.Output, Does.StartWith("HTTP/1.1 200 "));

        // What tor does with a FIN of its client's, for the record.
        using var straight = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await straight.ConnectAsync(IPAddress.Loopback, Network.Workers[0].SocksPort, token);
        await using var stream = new NetworkStream(straight);
        await SocksClient.RequestAsync(stream, "127.0.0.1", Network.OriginPort, token);
        await stream.WriteAsync("GET /exit HTTP/1.0\r\nHost: x\r\n\r\n"u8.ToArray(), token);
        straight.Shutdown(SocketShutdown.Send);
        TestContext.Out.WriteLine(
            $"straight to tor, behind a FIN: {(await SocksClient.ReadToEndAsync(stream, token)).Length} bytes of answer");
    }

    private async Task<int> CurlAsync(string way, CancellationToken token)
    {
        int seen = 0;
        for (int run = 0; run < Rounds; run++)
        {
            var result = await ClientProcess.CurlAsync(
                token,
                [
                    .. way.Split(' '), "--header", "Expect:", "--data-binary", "@" + _file, "--output", "-", "--write-out", "%{http_code}",
                    $"http://127.0.0.1:{OriginPort}/",
                ]);
            if (result.Output == "too large\n413")
                seen++;
            else
                TestContext.Out.WriteLine($"{way}, run {run}: {result.ExitCode} {result.Output} {result.Error}");
        }

        return seen;
    }

    private async Task ServeAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
                serving.Add(RefuseAsync(await _origin.AcceptAsync(_stop.Token)));
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(serving);
        }
    }

    /// <summary>Answers as soon as something is there, finishes, and drains.</summary>
    private async Task RefuseAsync(Socket socket)
    {
        try
        {
            using (socket)
            {
                var buffer = new byte[64 * 1024];
                await socket.ReceiveAsync(buffer, _stop.Token);
                await socket.SendAsync(Encoding.ASCII.GetBytes(Answer), _stop.Token);
                socket.Shutdown(SocketShutdown.Send);
                while (await socket.ReceiveAsync(buffer, _stop.Token) > 0)
                {
                }
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException)
        {
            // The exit reset it, or the test is over.
        }
    }
}
