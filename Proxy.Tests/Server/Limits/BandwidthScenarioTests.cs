using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Limits;

/// <summary>Bytes a second, by a clock that is moved by hand: what has come is compared with what the time that is over allows.</summary>
[CancelAfter(30_000)]
public class BandwidthScenarioTests
{
    private const int Rate = 8 << 20, Burst = Rate / 4, Piece = 64 * 1024, Body = 16 << 20;

    // An answer in absolute form is written in what reads bring.
    private const int Slack = Burst + Piece + (64 * 1024);

    // Less than what a quiet time leaves: none of it is lost while the clock stands.
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(0.2);

    private readonly ManualTimeProvider _clock = new();

    [Test]
    public async Task A_transfer_takes_the_time_that_its_limit_says(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, [Values("SOCKS5", "GET", "upload")] string kind,
        [Values("user", "client", "listener")] string whose, CancellationToken token)
    {
        long uploaded = 0;
        await using var worker = new FakeTorWorker
        {
            OnStream = (stream, request, stop) => kind switch
            {
                "SOCKS5" => SendAsync(stream, stop),
                "GET" => AnswerAsync(stream, stop),
                _ => CountAsync(stream, count => Interlocked.Add(ref uploaded, count), stop),
            },
        };
        await using var proxy = await StartAsync(worker, engine, whose);
        await using var client = await proxy.ConnectAsync();
        await OpenAsync(client, kind, token);
        long downloaded = 0;
        var transfer = kind == "upload"
            ? SendAsync(client, token) : CountAsync(client, count => Interlocked.Add(ref downloaded, count), token);
        for (int step = 0; ; step++)
        {
            long allowed = (long)(Rate * Step.TotalSeconds * step);
            while (Interlocked.Read(ref uploaded) + Interlocked.Read(ref downloaded) < Math.Min(allowed, Body))
                await Task.Delay(5, token);
            Assert.That(
                Interlocked.Read(ref uploaded) + Interlocked.Read(ref downloaded), Is.LessThanOrEqualTo(allowed + Slack),
                $"after {step} steps");
            if (allowed >= Body)
                break;
            _clock.Advance(Step);
        }

        await transfer;
    }

    /// <summary>Two connections of one user have together what one has, and each its half.</summary>
    [Test]
    public async Task Connections_of_one_user_share_its_bandwidth(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { OnStream = static (stream, _, stop) => SendAsync(stream, stop) };
        await using var proxy = await StartAsync(worker, engine, "user");
        await using var one = await proxy.ConnectAsync();
        await using var other = await proxy.ConnectAsync();
        await OpenAsync(one, "SOCKS5", token);
        await OpenAsync(other, "SOCKS5", token);
        long[] come = [0, 0];
        var transfers = Task.WhenAll(
            CountAsync(one, count => Interlocked.Add(ref come[0], count), token),
            CountAsync(other, count => Interlocked.Add(ref come[1], count), token));
        for (int step = 1; step <= 10; step++)
        {
            _clock.Advance(Step);
            long allowed = (long)(Rate * Step.TotalSeconds * step);
            while (come.Sum() < allowed)
                await Task.Delay(2, token);
            Assert.That(come.Sum(), Is.LessThanOrEqualTo(allowed + Slack));
        }

        // The clock jumps: who is there first has much of what a jump brings.
        Assert.That(come.Min(), Is.GreaterThanOrEqualTo(come.Sum() / 10), "nobody starves");
        while (!transfers.IsCompleted)
        {
            _clock.Advance(Step);
            await Task.Delay(5, token);
        }
    }

    private async Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, EngineKind engine, string whose) =>
        await ProxyUnderTest.StartAsync(
            [worker.EndPoint], options =>
            {
                options.Engine.Transport = engine;
                var listener = options.Listeners[0];
                listener.Auth = ListenerAuth.Required;
                listener.Users.Add("ann", "secret");
                listener.HandshakeTimeout = TimeSpan.FromMinutes(10);
                options.Connect.Timeout = options.Connect.AttemptTimeout = options.Connect.WorkerTimeout = TimeSpan.FromMinutes(10);
                if (whose == "user")
                    options.Users.Add(new UserOptions { Name = "ann", Bandwidth = Rate });
                else if (whose == "client")
                    listener.Limits.BandwidthPerClient = Rate;
                else
                    listener.Limits.Bandwidth = Rate;
            }, _clock);

    private static async Task OpenAsync(NetworkStream client, string kind, CancellationToken token)
    {
        if (kind != "GET")
        {
            Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token, "ann", "secret"))[1], Is.Zero);
            return;
        }

        string credentials = Convert.ToBase64String("ann:secret"u8);
        await client.WriteAsync(
            Encoding.Latin1.GetBytes(
                "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"
                + $"Proxy-Authorization: Basic {credentials}\r\n\r\n"),
            token);
    }

    private static async Task SendAsync(NetworkStream stream, CancellationToken token)
    {
        var data = new byte[32 * 1024];
        for (int sent = 0; sent < Body; sent += data.Length)
            await stream.WriteAsync(data, token);
        stream.Socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task AnswerAsync(NetworkStream stream, CancellationToken token)
    {
        var request = new byte[4096];
        int count = 0;
        while (!request.AsSpan(0, count).EndsWith("\r\n\r\n"u8))
            count += await stream.ReadAsync(request.AsMemory(count), token);
        await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {Body}\r\n\r\n"), token);
        await SendAsync(stream, token);
    }

    private static async Task CountAsync(NetworkStream stream, Action<int> come, CancellationToken token)
    {
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await stream.ReadAsync(buffer, token)) > 0)
            come(count);
        stream.Socket.Shutdown(SocketShutdown.Send);
    }
}
