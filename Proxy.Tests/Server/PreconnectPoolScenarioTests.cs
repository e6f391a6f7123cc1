using Microsoft.Extensions.DependencyInjection;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Tests.Connecting;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Server;

/// <summary>The whole proxy in front of workers that it takes for far ones.</summary>
[CancelAfter(60_000)]
public sealed class PreconnectPoolScenarioTests
{
    private const int Clients = 8, Rounds = 25, Size = 20_000;

    [TestCase(EngineKind.Sockets, 0)]
    [TestCase(EngineKind.Linux, 1)]
    [TestCase(EngineKind.Linux, 3)]
    public async Task Connections_carry_their_own_bytes_and_what_stands_ready_is_nobodys(
        EngineKind engine, int loops, CancellationToken token)
    {
        await using var first = new FakeTorWorker();
        await using var second = new FakeTorWorker();
        await using (var proxy = await StartAsync(engine, loops, first, second))
        {
            await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => ClientAsync(proxy, client, token)));
            var sockets = proxy.Get<PreconnectPool>();
            await PreconnectBench.Until(() => sockets.Count > 0 && proxy.Server.Connections.Count == 0, token);
            int requests = first.Requests.Count + second.Requests.Count;
            Assert.That(requests, Is.EqualTo(Clients * Rounds));
            Assert.That(proxy.Pool.Snapshot.All.Sum(static worker => worker.Active), Is.Zero);
            Assert.That(proxy.Pool.Snapshot.All.Sum(static worker => worker.TotalConnections), Is.EqualTo(requests));

            Assert.That(await proxy.Server.StopAsync(TimeSpan.FromHours(1), token), Is.True, "nothing to wait for");
        }

        await PreconnectBench.Until(() => first.Open == 0 && second.Open == 0, token);
    }

    private static Task<ProxyUnderTest> StartAsync(EngineKind engine, int loops, params FakeTorWorker[] workers) =>
        ProxyUnderTest.StartAsync(
        [.. workers.Select(static (worker, i) => new WorkerModel($"w{i}", worker.EndPoint))],
        options =>
        {
            options.Engine.Transport = engine;
            options.Engine.Loops = loops;
        },
        replace: static services => services.AddSingleton(static provider => new PreconnectPool(
            provider.GetRequiredService<ITransport>(), provider.GetRequiredService<WorkerPool>(), new ConnectOptions(), TimeProvider.System)
        {
            IncludesLoopback = true,
        }));

    private static async Task ClientAsync(ProxyUnderTest proxy, int client, CancellationToken token)
    {
        byte[] sent = new byte[Size], received = new byte[Size];
        var random = new Random(client);
        for (int round = 0; round < Rounds; round++)
        {
            random.NextBytes(sent);
            await using var stream = await proxy.ConnectAsync();
            var reply = await SocksClient.RequestAsync(stream, "example.com", 80, token);
            Assert.That(reply[1], Is.Zero);
            var writing = stream.WriteAsync(sent, token).AsTask();
            await stream.ReadExactlyAsync(received, token);
            await writing;
            Assert.That(received, Is.EqualTo(sent));
        }
    }
}
