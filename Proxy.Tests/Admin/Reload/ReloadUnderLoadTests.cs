using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorBalancer.Processes;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Scenarios.Resilience;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin.Reload;

/// <summary>
/// The real executable in front of real tors, changed while 50 connections a second go through it: none fails, and the transfer that
/// began first ends last. TORBALANCER_RELOADS=1000 for many more reloads.
/// </summary>
[Category(ProgramRun.Native)]
[NonParallelizable] // A worker of the shared network is killed.
public sealed partial class ReloadUnderLoadTests
{
    private const int PerSecond = 50;

    private static readonly int Reloads = int.Parse(
        Environment.GetEnvironmentVariable("TORBALANCER_RELOADS") ?? "100", CultureInfo.InvariantCulture);

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });
    private TestNetwork _network = null!;
    private DaemonUnderTest _daemon = null!;
    private string _admin = "";

    private string ConfigurationPath => Path.Combine(_daemon.Directory, "torbalancer.conf");

    [OneTimeSetUp]
    public async Task GetNetworkAsync() => _network = await SharedTestNetwork.GetAsync();

    [SetUp]
    public async Task StartAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        _daemon = await DaemonUnderTest.StartAsync(
            DaemonUnderTest.ConfigurationFor(_network), patience.Token, admin: "Address = 127.0.0.1:0");
        _admin = "http://" + await _daemon.AdminAddressAsync(patience.Token);
    }

    [TearDown]
    public async Task StopAsync() => await _daemon.DisposeAsync();

    [OneTimeTearDown]
    public void CloseClient() => _client.Dispose();

    [Test, CancelAfter(600_000)]
    public async Task Reloads_under_load_fail_nothing_and_break_nothing(CancellationToken token)
    {
        string text = await File.ReadAllTextAsync(ConfigurationPath, token);
        await using var load = SteadyLoad.Start(_daemon.Address, _network.EchoPort, PerSecond);
        await using var transfer = await Transfer.StartAsync(_daemon.Address, _network.EchoPort, "worker-worker-04", token);
        await load.MoreAsync(PerSecond, token);
        for (int i = 1; i <= Reloads; i++)
        {
            await File.WriteAllTextAsync(ConfigurationPath, Variant(text, i), token);
            if (i % 2 == 0)
            {
                using var answer = await _client.PostAsync(_admin + "/api/v1/reload", null, token);
                Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync(token));
            }
            else
            {
                ProcessSignals.HangUp(_daemon.ProcessId);
                int number = (i + 1) / 2;
                await _daemon.WaitForLineAsync(
                    static line => line.Contains("Reloaded by SIGHUP", StringComparison.Ordinal), token, after: number - 1);
            }

            await load.MoreAsync(5, token);
        }

        var done = await load.StopAsync();
        long moved = await transfer.EndAsync();
        TestContext.Progress.WriteLine(
            $"{Reloads} reloads under {PerSecond}/s: {done.Count} connections, {done.Count(static one => one.Error is not null)} failed; "
                + $"one transfer moved {moved} bytes through all of it");
        Assert.That(done.Where(static one => one.Error is not null), Is.Empty);
        Assert.That(await _daemon.StopAsync(token), Is.Zero);
        Assert.That(_daemon.Lines.Where(static line => line.Contains("ERROR", StringComparison.Ordinal)), Is.Empty);
    }

    [Test, CancelAfter(180_000)]
    public async Task Drain_enable_kill_add_remove_and_reload_agree_in_API_and_log(CancellationToken token)
    {
        string text = await File.ReadAllTextAsync(ConfigurationPath, token);
        TestNode first = _network.Node("worker-01"), last = _network.Node("worker-04");
        await using var load = SteadyLoad.Start(_daemon.Address, _network.EchoPort, PerSecond);
        await using var transfer = await Transfer.StartAsync(_daemon.Address, _network.EchoPort, "worker-worker-04", token);
        await load.MoreAsync(PerSecond, token);

        await SendAsync(HttpMethod.Post, "/workers/worker-02/drain", null, token);
        await AgreeAsync("worker-02", "draining", "Worker worker-02 drains on request", token);
        long before = await CountAsync("worker-02", token);
        await load.MoreAsync(PerSecond, token);
        Assert.That(await CountAsync("worker-02", token), Is.EqualTo(before));
        await SendAsync(HttpMethod.Post, "/workers/worker-02/enable", null, token);
        await AgreeAsync("worker-02", "enabled", "Worker worker-02 was enabled on request", token);
        await load.MoreAsync(PerSecond, token);
        Assert.That(await CountAsync("worker-02", token), Is.GreaterThan(before));

        // Another door to the same tor: a worker by another name.
        await SendAsync(
            HttpMethod.Post, "/workers",
            string.Create(
                CultureInfo.InvariantCulture,
                $$"""{"id": "extra", "Address": "127.0.0.1", "SocksPort": {{first.PlainSocksPort}}}"""),
            token, HttpStatusCode.Created);
        await AgreeAsync("extra", "enabled", "Changed: [Worker:extra] Address: (none) -> 127.0.0.1", token);
        await SendAsync(HttpMethod.Delete, "/workers/extra", null, token);
        await GoneAsync("extra", token);

        // The one that carries the transfer: it leaves when that has ended, and comes back as it was by a reload.
        await SendAsync(HttpMethod.Delete, "/workers/worker-04", null, token);
        await AgreeAsync("worker-04", "leaving", "Worker worker-04 leaves: no new connections", token);
        before = await CountAsync("worker-04", token);
        await load.MoreAsync(PerSecond, token);
        Assert.That(await CountAsync("worker-04", token), Is.EqualTo(before));
        string answer = (await SendAsync(HttpMethod.Post, "/reload", null, token)).GetRawText();
        Assert.That(answer, Does.Contain("\"section\":\"Worker:worker-04\""));
        await AgreeAsync("worker-04", "enabled", "Reloaded by the admin API", token);

        // A mistake: everything goes on.
        await File.WriteAllTextAsync(ConfigurationPath, text + "\n[Balancing]\nMode = randon\n", token);
        await SendAsync(HttpMethod.Post, "/reload", null, token, HttpStatusCode.UnprocessableEntity);
        await _daemon.WaitForLineAsync(static line => line.Contains("\"randon\" is not a mode", StringComparison.Ordinal), token);
        await File.WriteAllTextAsync(ConfigurationPath, text, token);
        await load.MoreAsync(PerSecond, token);
        Assert.That((await load.SinceAsync(TimeSpan.Zero, token)).Where(static one => one.Error is not null), Is.Empty);
        Assert.That(await transfer.EndAsync(), Is.GreaterThan(0));

        // And one that dies is told of in the same words on both sides.
        await last.KillAsync();
        try
        {
            await _daemon.WaitForLineAsync(
                static line => line.Contains("Worker worker-04: ", StringComparison.Ordinal)
                    && line.Contains("-> dead", StringComparison.Ordinal), token);
            Assert.That(await StateAsync("worker-04", "state", token), Is.EqualTo("DEAD").Or.EqualTo("RECOVERY"));
            await SendAsync(HttpMethod.Post, "/reload", null, token);
            Assert.That(
                await StateAsync("worker-04", "state", token), Is.EqualTo("DEAD").Or.EqualTo("RECOVERY"), "a reload forgets no state");
        }
        finally
        {
            await _network.RestartAsync(last.Name, token);
        }
    }

    /// <summary>Something of everything that may change, and back.</summary>
    private static string Variant(string text, int number)
    {
        if (number % 2 == 0)
            return text;
        string mode = (number % 8) switch { 1 => "random", 3 => "least_connections", 5 => "power_of_two", _ => "fastest" };
        string other = number % 4 == 1
            ? WorkerFour().Replace(text, "")
            : text.Replace("[Worker:worker-04]\n", "[Worker:worker-04]\nWeight = 3\n", StringComparison.Ordinal);
        string level = number % 4 == 1 ? "debug" : "info";
        return $"[Balancing]\nMode = {mode}\n[Connect]\nAttempts = 4\nHedge = adaptive\n[Log]\nLevel = {level}\n"
            + "[Listener:second]\nAddress = 127.0.0.1:0\nProtocols = http\n[Rule:none]\nDomain = none.example\nRoute = reject\n"
            + "[Blacklist]\nDuration = 3m\n[Circuits]\nWarm = " + (number % 4 == 1 ? "off" : "2") + "\n" + other;
    }

    private async Task AgreeAsync(string worker, string administrative, string line, CancellationToken token)
    {
        await _daemon.WaitForLineAsync(one => one.Contains(line, StringComparison.Ordinal), token);
        Assert.That(await StateAsync(worker, "administrative", token), Is.EqualTo(administrative), worker);
    }

    private async Task GoneAsync(string worker, CancellationToken token)
    {
        while (await FindAsync(worker, token) is not null)
            await Task.Delay(50, token);

        // Written before the answer, and read from a pipe.
        await _daemon.WaitForLineAsync(
            line => line.Contains($"[Worker:{worker}] Address: 127.0.0.1 -> (none)", StringComparison.Ordinal), token);
    }

    private async Task<string?> StateAsync(string worker, string member, CancellationToken token) =>
        (await FindAsync(worker, token))?.GetProperty("health").GetProperty(member).GetString();

    private async Task<long> CountAsync(string worker, CancellationToken token) =>
        (await FindAsync(worker, token))!.Value.GetProperty("total_connections").GetInt64();

    private async Task<JsonElement?> FindAsync(string worker, CancellationToken token)
    {
        var all = await SendAsync(HttpMethod.Get, "/workers", null, token);
        foreach (var one in all.GetProperty("workers").EnumerateArray())
        {
            if (one.GetProperty("id").GetString() == worker)
                return one;
        }

        return null;
    }

    private async Task<JsonElement> SendAsync(
        HttpMethod method, string path, string? body, CancellationToken token, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var request = new HttpRequestMessage(method, $"{_admin}/api/v1{path}");
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        return await AdminUnderTest.ReadAsync(await _client.SendAsync(request, token), status, token);
    }

    [GeneratedRegex(@"\[Worker:worker-04\]\n(?:[^\[\n]+\n)+")]
    private static partial Regex WorkerFour();

    /// <summary>Bytes that go out and come back, each checked, for as long as it is let.</summary>
    private sealed class Transfer : IAsyncDisposable
    {
        private readonly NetworkStream _stream;
        private readonly CancellationTokenSource _enough = new();
        private readonly Task<long> _running;

        private Transfer(NetworkStream stream)
        {
            _stream = stream;
            _running = RunAsync();
        }

        /// <param name="user">Which worker it is to go through.</param>
        public static async Task<Transfer> StartAsync(IPEndPoint proxy, int port, string user, CancellationToken token)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(proxy, token);
            var stream = new NetworkStream(socket, ownsSocket: true);
            Assert.That((await SocksClient.RequestAsync(stream, TestNetwork.OriginName, port, token, user, "x"))[1], Is.Zero);
            return new Transfer(stream);
        }

        /// <summary>How many bytes have come back; throws what broke it.</summary>
        public async Task<long> EndAsync()
        {
            await _enough.CancelAsync();
            return await _running;
        }

        public async ValueTask DisposeAsync()
        {
            await _enough.CancelAsync();
            await _running.ContinueWith(static _ => { }, TaskScheduler.Default);
            await _stream.DisposeAsync();
            _enough.Dispose();
        }

        private async Task<long> RunAsync()
        {
            long moved = 0;
            byte[] sent = new byte[4096], back = new byte[4096];
            while (!_enough.IsCancellationRequested)
            {
                for (int i = 0; i < sent.Length; i++)
                    sent[i] = (byte)((moved + i) * 31 >> 3);
                await _stream.WriteAsync(sent);
                await _stream.ReadExactlyAsync(back);
                if (!back.AsSpan().SequenceEqual(sent))
                    throw new InvalidDataException($"other bytes came back at {moved}");
                moved += sent.Length;
            }

            return moved;
        }
    }
}
