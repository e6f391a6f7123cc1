using System.Net.Sockets;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Transport;

[CancelAfter(30_000)]
public class SocketTunnelTests
{
    /// <summary>
    /// The worker's stream is reset while the client takes nothing: one direction has ended, the other waits for the client.
    /// </summary>
    [Test]
    public async Task A_stop_ends_a_tunnel_that_still_drains_into_a_client_that_does_not_read(CancellationToken token)
    {
        var (clientPeer, clientSide) = await TestSocketConnection.ConnectPairAsync();
        var (upstreamSide, upstreamPeer) = await TestSocketConnection.ConnectPairAsync();
        using var peer = clientPeer;
        await using var client = new SocketConnection(clientSide);
        await using var upstream = new SocketConnection(upstreamSide);
        using var stop = new CancellationTokenSource();
        var tunnel = new SocketTransport(TimeProvider.System)
            .TunnelAsync(client, upstream, new TunnelSettings(new TunnelControl(), TimeSpan.Zero), stop.Token);

        // Until nothing goes further: the client's and both of our buffers are full.
        upstreamPeer.Blocking = false;
        var data = new byte[64 * 1024];
        for (int refused = 0; refused < 20;)
        {
            upstreamPeer.Send(data, SocketFlags.None, out var error);
            refused = error == SocketError.WouldBlock ? refused + 1 : 0;
            if (refused > 0)
                await Task.Delay(5, token);
        }

        upstreamPeer.LingerState = new LingerOption(true, 0);
        upstreamPeer.Dispose();
        clientPeer.Send([1]);
        while (clientSide.Available > 0)
            await Task.Delay(1, token);
        clientPeer.Send([1]);
        await Task.Delay(50, token);
        Assert.That(tunnel.IsCompleted, Is.False, "what had arrived is still given to the client");

        await stop.CancelAsync();
        Assert.That(await tunnel.WaitAsync(TimeSpan.FromSeconds(5), token), Is.EqualTo(TunnelEnd.UpstreamReset));
    }
}
