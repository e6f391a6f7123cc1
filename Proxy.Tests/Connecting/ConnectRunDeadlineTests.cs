using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

/// <summary>The end of [Connect] Timeout is the client's bad luck, and no worker's fault.</summary>
public sealed class ConnectRunDeadlineTests
{
    [Test, CancelAfter(30_000)]
    public async Task Attempt_that_uses_up_the_time_is_the_last_and_blames_nobody(CancellationToken token)
    {
        await using var first = new FakeTorWorker { ReplyGate = Task.Delay(Timeout.Infinite, token) };
        await using var second = new FakeTorWorker { ReplyGate = Task.Delay(Timeout.Infinite, token) };
        await using var proxy = await ProxyUnderTest.StartAsync(
            [first.EndPoint, second.EndPoint], static options => options.Connect.Timeout = TimeSpan.FromMilliseconds(1500.9));

        await using var stream = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, "a.test", 80, token))[1], Is.EqualTo(0x06));
        var entry = (await proxy.Log.WaitForConnectionsAsync(1, token))[0];

        Assert.That(AccessEntry.Field(entry, "cause"), Is.EqualTo("connect_timeout"));
        Assert.That(AccessEntry.Field(entry, "attempts"), Is.EqualTo("1"));
        Assert.That(proxy.Pool.Snapshot.All.Sum(static worker => worker.TotalFailures), Is.Zero);
    }

    [Test, CancelAfter(30_000)]
    public async Task Worker_that_had_less_than_its_own_time_is_not_blamed(CancellationToken token)
    {
        await using var silent = new FakeTorWorker { Silent = true };
        await using var proxy = await ProxyUnderTest.StartAsync([silent.EndPoint], static options =>
        {
            options.Connect.Timeout = TimeSpan.FromMilliseconds(500);
            options.Connect.WorkerTimeout = TimeSpan.FromSeconds(5);
        });

        await using var stream = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, "a.test", 80, token))[1], Is.EqualTo(0x06));
        var entry = (await proxy.Log.WaitForConnectionsAsync(1, token))[0];

        Assert.That(AccessEntry.Field(entry, "cause"), Is.EqualTo("connect_timeout"));
        Assert.That(proxy.Pool.Snapshot.All[0].TotalFailures, Is.Zero);
    }
}
