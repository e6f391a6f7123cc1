using TorBalancer.Primitives;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Health;

public class WorkerGoneTests
{
    [Test, CancelAfter(30_000)]
    public async Task Tunnels_of_a_worker_whose_process_is_gone_are_ended(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options => options.Health.Enabled = true);
        await using var client = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, "a.example", 80, token))[1], Is.Zero);
        await client.WriteAsync("x"u8.ToArray(), token);
        await client.ReadExactlyAsync(new byte[1], token);

        for (int i = 0; i < 3; i++)
            proxy.Health.DialFailed(proxy.Pool.Find("worker-01")!, new ProxyError(FailureCause.WorkerRefused));

        Assert.That(AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token))[0], "end"), Is.EqualTo("worker_gone"));
    }
}
