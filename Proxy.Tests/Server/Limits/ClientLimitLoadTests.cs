using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Server.Limits;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Limits;

/// <summary>
/// 500 connections a second from 50 addresses, half of which want more than they may have; and from all of them more than their listener
/// lets in. Users: <see cref="LimitLoadTests"/>.
/// </summary>
[CancelAfter(60_000)]
public class ClientLimitLoadTests
{
    private const int Clients = 50, MostAtOnce = 4, Steps = 80, Rate = 8, Burst = 6;

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    [Test]
    public async Task No_address_passes_its_limits_and_nobody_is_refused_for_another(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, engine, static limits =>
        {
            limits.MaxConnectionsPerClient = MostAtOnce;
            limits.ConnectionRatePerClient = new ConnectionRate(Rate, TimeSpan.FromSeconds(1), Burst);
        });
        var clients = Enumerable.Range(1, Clients)
            .Select(number => new LoadingClient(proxy, new IPAddress([127, 0, 2, (byte)number]))).ToArray();
        double seconds = await LoadAsync(
            (step, i) => (i + step) % 4 == 0
                ? clients[i].ConnectWithinLimitAsync(token)
                : clients[(Clients / 2) + i].ConnectBesideOthersAsync(token),
            token);
        await NobodyLeftAsync(proxy, token);
        Assert.Multiple(() =>
        {
            foreach (var client in clients)
            {
                Assert.That(client.Highest, Is.LessThanOrEqualTo(MostAtOnce), $"{client.Address} at one time");
                Assert.That(client.LetIn, Is.LessThanOrEqualTo(Burst + (Rate * seconds)), $"{client.Address} in a time");
            }

            Assert.That(clients.Take(Clients / 2).Sum(static client => client.Refused), Is.Zero, "a client within its limit");
            Assert.That(clients.Skip(Clients / 2).Min(static client => client.Refused), Is.Positive, "who wants too much");
            Assert.That(clients.Min(static client => client.LetIn), Is.Positive, "nobody starves");
            var refused = proxy.Get<ConnectionLimiter>().Of(proxy.Server.Listeners[0]).Refused;
            Assert.That(
                refused[LimitKind.MaxConnectionsPerClient] + refused[LimitKind.ConnectionRatePerClient],
                Is.EqualTo(clients.Sum(static client => client.Refused)));
        });
    }

    [Test]
    public async Task Listener_passes_none_of_its_limits_whoever_comes(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, CancellationToken token)
    {
        const int most = 20, rate = 100, burst = 10;
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(
            worker, engine, static limits => limits.ConnectionRate = new ConnectionRate(rate, TimeSpan.FromSeconds(1), burst), most);
        var all = new LoadingClient(proxy, IPAddress.Loopback);
        double seconds = await LoadAsync((_, _) => all.ConnectBesideOthersAsync(token), token);
        await NobodyLeftAsync(proxy, token);
        Assert.Multiple(() =>
        {
            Assert.That(all.Highest, Is.LessThanOrEqualTo(most), "at one time");
            Assert.That(all.LetIn, Is.LessThanOrEqualTo(burst + (rate * seconds)), "in a time");
            Assert.That(all.LetIn, Is.GreaterThan(most), "places are given to others");
            Assert.That(all.LetIn + all.Refused, Is.EqualTo(Steps * (Clients / 2)));
            var refused = proxy.Get<ConnectionLimiter>().Of(proxy.Server.Listeners[0]).Refused;
            Assert.That(refused[LimitKind.MaxConnections], Is.Positive);
            Assert.That(refused[LimitKind.MaxConnections] + refused[LimitKind.ConnectionRate], Is.EqualTo(all.Refused));
        });
    }

    /// <summary>50 users, half of whom have five connections each: what those move together is no more than what one may.</summary>
    [Test]
    public async Task No_user_moves_more_bytes_than_it_may_and_connections_make_nobody_faster(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, CancellationToken token)
    {
        const int bandwidth = 64 * 1024, connectionsOfGreedy = 5, piece = bandwidth / 16;
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], options =>
        {
            options.Engine.Transport = engine;
            options.Log.Access = false;
            var listener = options.Listeners[0];
            listener.Auth = ListenerAuth.Required;
            for (int user = 0; user < Clients; user++)
                listener.Users.Add($"u{user}", "secret");
            listener.Limits.BandwidthPerUser = bandwidth;
        });
        var streams = new List<NetworkStream>();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(token);
        var started = TimeProvider.System.GetTimestamp();
        var moving = new List<Task>();
        for (int user = 0; user < Clients; user++)
        {
            for (int i = 0; i < (user < Clients / 2 ? 1 : connectionsOfGreedy); i++)
            {
                var stream = await proxy.ConnectAsync();
                streams.Add(stream);
                Assert.That((await SocksClient.RequestAsync(stream, "a.example", 80, token, $"u{user}", "secret"))[1], Is.Zero);
                moving.Add(EchoAsync(stream, enough.Token));
            }
        }

        await Task.Delay(TimeSpan.FromSeconds(4), token);
        await enough.CancelAsync();
        streams.ForEach(static stream => stream.Dispose());
        await Task.WhenAll(moving);
        await NobodyLeftAsync(proxy, token);
        double seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        var moved = Enumerable.Range(0, Clients).Select(user => proxy.Get<UserTable>().Of($"u{user}"))
            .Select(static account => account.FromClient + account.FromUpstream).ToArray();
        Assert.Multiple(() =>
        {
            // What a quiet time leaves, and a piece for each connection.
            Assert.That(moved.Max(), Is.LessThanOrEqualTo((bandwidth * (seconds + 0.25)) + (connectionsOfGreedy * 2 * piece)));
            double modest = moved.Take(Clients / 2).Average(), greedy = moved.Skip(Clients / 2).Average();
            Assert.That(moved.Take(Clients / 2).Min(), Is.GreaterThan(greedy / 2), "nobody starves");
            Assert.That(greedy, Is.LessThan(modest * 1.5), "five connections are no faster than one");
        });
    }

    private static async Task EchoAsync(NetworkStream stream, CancellationToken token)
    {
        byte[] data = new byte[4096];
        try
        {
            while (true)
            {
                await stream.WriteAsync(data, token);
                await stream.ReadExactlyAsync(data, token);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    private static Task<ProxyUnderTest> StartAsync(
        FakeTorWorker worker, EngineKind engine, Action<ListenerLimitOptions> limit, int most = 0) =>
        ProxyUnderTest.StartAsync([worker.EndPoint], options =>
        {
            options.Engine.Transport = engine;
            options.Log.Access = false;
            options.Listeners[0].MaxConnections = most;
            limit(options.Listeners[0].Limits);
        });

    /// <summary>25 connections in each of 80 steps of 50 ms; the seconds that it took.</summary>
    private static async Task<double> LoadAsync(Func<int, int, Task> connect, CancellationToken token)
    {
        var started = TimeProvider.System.GetTimestamp();
        var connections = new List<Task>();
        for (int step = 0; step < Steps; step++)
        {
            for (int i = 0; i < Clients / 2; i++)
                connections.Add(connect(step, i));
            var due = (step + 1) * Step - TimeProvider.System.GetElapsedTime(started);
            if (due > TimeSpan.Zero)
                await Task.Delay(due, token);
        }

        await Task.WhenAll(connections);
        return TimeProvider.System.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task NobodyLeftAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        while (proxy.Server.Connections.Count > 0)
            await Task.Delay(5, token);
    }

    private sealed class LoadingClient(ProxyUnderTest proxy, IPAddress address)
    {
        private readonly SemaphoreSlim _mine = new(1);
        private int _open, _highest;
        private long _letIn, _refused;

        public IPAddress Address => address;

        public int Highest => _highest;

        public long LetIn => _letIn;

        public long Refused => _refused;

        /// <summary>One after the other, each when the proxy knows that the one before has ended.</summary>
        public async Task ConnectWithinLimitAsync(CancellationToken token)
        {
            await _mine.WaitAsync(token);
            try
            {
                while (proxy.Server.Connections.All.Any(one => address.Equals(one.Context.ClientAddress)))
                    await Task.Delay(5, token);
                await ConnectAsync(TimeSpan.FromMilliseconds(150), token);
            }
            finally
            {
                _mine.Release();
            }
        }

        public Task ConnectBesideOthersAsync(CancellationToken token) => ConnectAsync(TimeSpan.FromMilliseconds(400), token);

        private async Task ConnectAsync(TimeSpan hold, CancellationToken token)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Bind(new IPEndPoint(address, 0));
            try
            {
                await socket.ConnectAsync(proxy.Address, token);
                await using var stream = new NetworkStream(socket, ownsSocket: false);
                if ((await SocksClient.RequestAsync(stream, "a.example", 80, token))[1] != 0)
                {
                    Interlocked.Increment(ref _refused);
                    return;
                }

                Interlocked.Increment(ref _letIn);
                int open = Interlocked.Increment(ref _open);
                int highest;
                do
                {
                    highest = Volatile.Read(ref _highest);
                }
                while (open > highest && Interlocked.CompareExchange(ref _highest, open, highest) != highest);

                await Task.Delay(hold, token);

                // What the client has let go of itself is open no more, whenever the proxy hears of it.
                Interlocked.Decrement(ref _open);
            }
            catch (Exception failure) when (failure is SocketException or IOException)
            {
                // Of those that are refused so many wait to be told; further ones are cut.
                Interlocked.Increment(ref _refused);
            }
        }
    }
}
