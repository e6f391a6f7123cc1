using System.Net.Sockets;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Clients that leave, finish or hurry while their connect runs.</summary>
public partial class SocksConnectionTests
{
    [Test]
    public async Task A_client_that_resets_while_its_connect_runs_gives_the_worker_back(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyGate = new TaskCompletionSource().Task };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        var client = await proxy.ConnectAsync();
        await client.WriteAsync((byte[])[5, 1, 0, .. SocksClient.Request("example.com", 80)], token);
        await SocksClient.ReadAsync(client, 2, token);
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        Assert.That(proxy.Pool.Snapshot.All[0].Active, Is.EqualTo(1));
        client.Socket.LingerState = new LingerOption(true, 0);
        client.Socket.Close();
        Assert.That((await proxy.Log.WaitForAsync("access", 1, token)).Single().Message, Does.Contain("cause=client_closed")
            .And.Contain(" worker=worker-01 route=socks ").And.Contain(" attempts=1 "));
        Assert.That(proxy.Pool.Snapshot.All[0].Active, Is.Zero);
    }

    [Test]
    public async Task A_client_that_has_sent_everything_and_finished_before_the_answer_is_still_served(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        await using var worker = new FakeTorWorker { ReplyGate = gate.Task };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync((byte[])[5, 1, 0, .. SocksClient.Request("example.com", 80), .. "all I have"u8], token);
        client.Socket.Shutdown(SocketShutdown.Send);
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        gate.SetResult();
        await SocksClient.ReadAsync(client, 2, token);
        Assert.That(await SocksClient.ReadReplyAsync(client, token), Is.EqualTo(Success));
        Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.EqualTo("all I have"u8.ToArray()));
    }

    [Test]
    public async Task More_early_data_than_is_buffered_is_not_lost_either(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        await using var worker = new FakeTorWorker { ReplyGate = gate.Task };
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        byte[] data = new byte[1_000_000];
        new Random(5).NextBytes(data);
        var writing = client.WriteAsync((byte[])[5, 1, 0, .. SocksClient.Request("example.com", 80), .. data], token).AsTask();
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        gate.SetResult();
        await SocksClient.ReadAsync(client, 2, token);
        await SocksClient.ReadReplyAsync(client, token);
        Assert.That(await SocksClient.ReadAsync(client, data.Length, token), Is.EqualTo(data));
        await writing;
    }
}
