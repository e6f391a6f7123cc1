using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Transport;

/// <summary>Of the sockets engine: a peer whose bytes are all there already does not keep a thread of the pool.</summary>
public sealed class TurnTakingStreamTests
{
    [Test, CancelAfter(30_000)]
    public async Task Reader_that_always_finds_more_goes_on_behind_others(CancellationToken token)
    {
        const int bytes = 3 * TurnTakingStream.BytesInATurn;
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 8 * bytes };
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(listener.LocalEndPoint!, token);
        using var socket = await listener.AcceptAsync(token);
        for (int sent = 0; sent < bytes;)
            sent += await peer.SendAsync(new byte[bytes - sent], token);
        while (socket.Available < bytes)
            await Task.Delay(5, token);

        await using var stream = new TurnTakingStream(socket);
        var others = new Others();
        int read = 0;
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(others);
        try
        {
            // As long as nobody else is let in: what goes behind others is posted to this context, and done when it is asked to.
            while (read < bytes && others.Waiting is null)
            {
                var reading = stream.ReadAsync(new byte[4096], token);
                if (reading.IsCompleted)
                    read += await reading;
                else
                    others.Reading = reading.AsTask();
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        Assert.That(others.Waiting is not null, "others are let in");
        Assert.That(read, Is.Positive.And.LessThanOrEqualTo(TurnTakingStream.BytesInATurn));
        others.Waiting!();
        Assert.That(await others.Reading!.WaitAsync(token), Is.EqualTo(4096), "what was read is not lost");
    }

    private sealed class Others : SynchronizationContext
    {
        public Action? Waiting { get; private set; }

        public Task<int>? Reading { get; set; }

        public override void Post(SendOrPostCallback d, object? state) => Waiting = () => d(state);
    }
}
