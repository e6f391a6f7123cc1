using System.Net;
using System.Net.Sockets;
using TorBalancer.Tests.Admin;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>Workers are drained and enabled through the admin API under load, one after the other.</summary>
public sealed class DrainTests : ResilienceFixture
{
    private const int PerSecond = 50;

    [Test, CancelAfter(120_000)]
    public async Task Draining_and_enabling_harms_neither_requests_nor_live_tunnels(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(
            Network.Workers.Select(static node => new IPEndPoint(IPAddress.Loopback, node.SocksPort)));
        var proxy = admin.Proxy;
        await using var load = SteadyLoad.Start(proxy.Address, Network.EchoPort, PerSecond);
        var tunnels = new List<NetworkStream>();
        try
        {
            foreach (var worker in proxy.Pool.Snapshot.All)
                tunnels.Add(await OpenAsync(proxy, $"worker-{worker.Id}", "tunnel.test", token));

            foreach (var worker in proxy.Pool.Snapshot.All)
            {
                await load.MoreAsync(PerSecond / 5, token);
                var drained = await admin.PostAsync($"/api/v1/workers/{worker.Id}/drain", token);
                Assert.That(
                    drained.GetProperty("health").GetProperty("administrative").GetString(), Is.EqualTo("draining"), drained.ToString());

                // Whoever begins from here on must not get it, whoever has it keeps it. A choice that was under way is let through.
                await load.MoreAsync(PerSecond / 5, token);
                long before = worker.TotalConnections;
                await load.MoreAsync(PerSecond, token);
                Assert.That(worker.TotalConnections, Is.EqualTo(before), $"new connections through {worker.Id} while it drained");
                await AssertAliveAsync(tunnels, token);

                await admin.PostAsync($"/api/v1/workers/{worker.Id}/enable", token);
                await UntilAsync(() => worker.TotalConnections > before, Patience, $"{worker.Id} used again", token);
                await AssertAliveAsync(tunnels, token);
            }

            var requests = await load.StopAsync();
            TestContext.Progress.WriteLine($"drain and enable of each worker: {SteadyLoad.Describe(requests)}");
            Assert.That(requests.Where(static one => one.Error is not null), Is.Empty);
        }
        finally
        {
            foreach (var tunnel in tunnels)
                await tunnel.DisposeAsync();
        }
    }

    private static async Task AssertAliveAsync(IEnumerable<NetworkStream> tunnels, CancellationToken token)
    {
        foreach (var tunnel in tunnels)
            await AssertEchoesAsync(tunnel, token);
    }
}
