using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>drain and enable while connections come all the time.</summary>
public class DrainUnderLoadTests
{
    private const int Clients = 8, Each = 15;

    [Test, CancelAfter(60_000)]
    public async Task No_request_fails_and_the_live_tunnel_goes_on(CancellationToken token)
    {
        await using var first = new FakeTorWorker();
        await using var second = new FakeTorWorker();
        await using var third = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(first, second, third);
        await using var live = await admin.Proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(live, "live.example", 80, token, "worker-worker-01", "x"))[1], Is.Zero);
        Assert.That(first.Requests, Has.Count.EqualTo(1));

        // While the load is on, the worker goes.
        var load = LoadAsync(admin, token);
        while (first.Requests.Count < 3)
            await Task.Delay(1, token);
        await admin.PostAsync("/api/v1/workers/worker-01/drain", token);
        await load;
        await EchoAsync(live, token);

        // And nothing new comes to it.
        int before = first.Requests.Count;
        await LoadAsync(admin, token);
        Assert.That(first.Requests, Has.Count.EqualTo(before));
        await EchoAsync(live, token);

        // It comes back under load just the same.
        load = LoadAsync(admin, token);
        await admin.PostAsync("/api/v1/workers/worker-01/enable", token);
        await load;
        await LoadAsync(admin, token);
        Assert.That(first.Requests, Has.Count.GreaterThan(before));
        await EchoAsync(live, token);
        Assert.That(admin.Proxy.Pool.Find("worker-01")!.Active, Is.GreaterThanOrEqualTo(1));
    }

    private static async Task EchoAsync(Stream stream, CancellationToken token)
    {
        await stream.WriteAsync("still"u8.ToArray(), token);
        byte[] echo = new byte[5];
        await stream.ReadExactlyAsync(echo, token);
        Assert.That(echo, Is.EqualTo("still"u8.ToArray()));
    }

    private static Task LoadAsync(AdminUnderTest admin, CancellationToken token) =>
        Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
    {
        for (int i = 0; i < Each; i++)
        {
            await using var client = await admin.Proxy.ConnectAsync();
            Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
            await EchoAsync(client, token);
        }
    }));
}
