using TorBalancer.Protocols;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

public class StreamRequestTests
{
    [Test, CancelAfter(30_000)]
    public async Task Client_that_keeps_its_side_open_after_a_failed_CONNECT_is_waited_for_once(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        await using var worker = new FakeTorWorker { Reply = static _ => 5 };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], time: clock);
        await using var client = await proxy.ConnectAsync();
        using var peer = new ScriptedPeer(client.Socket);
        await peer.SendAsync("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
        Assert.That(await peer.ReadToEndAsync(), Does.StartWith("HTTP/1.1 502 "));

        // Once, unless the client's kernel has not acknowledged everything by then: the clock is faster than a delayed ACK.
        var ended = proxy.Log.WaitForConnectionsAsync(1, token);
        while (!ended.IsCompleted)
        {
            if (clock.UntilNextTimer == LingeringClose.Silence)
                clock.Advance(LingeringClose.Silence);
            token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        await ended;
    }
}
