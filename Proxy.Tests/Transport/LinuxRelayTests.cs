using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

public sealed class LinuxRelayTests
{
    private const int Bytes = 4096;

    /// <summary>
    /// The kernel tells of a reset once and of a broken pipe from then on; which of the two it was decides whether an answer that ended is
    /// whole.
    /// </summary>
    [Test, CancelAfter(30_000)]
    public async Task A_reset_of_the_sink_is_told_as_one(CancellationToken token)
    {
        using var transport = new LinuxTransport(new EventLoops(1), default);
        await using var listener = transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(8, null));
        using var reset = new ManualResetEventSlim();
        var end = new TaskCompletionSource<RelayResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var accepted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var accepting = listener.RunAsync(RelayAsync);

        using var source = await ConnectAsync();
        await source.SendAsync(new byte[Bytes], SocketFlags.None, token);
        var sink = await ConnectAsync();
        await accepted.Task.WaitAsync(token);
        sink.LingerState = new LingerOption(enable: true, seconds: 0);
        sink.Dispose();
        reset.Set();
        Assert.That(await end.Task.WaitAsync(token), Is.EqualTo(new RelayResult(RelayEnd.SinkBroken, SocketError.ConnectionReset)));
        await accepting;

        async Task<Socket> ConnectAsync()
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(listener.LocalEndPoint, token);
            return socket;
        }

        async Task RelayAsync()
        {
            try
            {
                await using var from = (await listener.AcceptAsync(token))!;
                await using var to = (await listener.AcceptAsync(token))!;
                accepted.SetResult();

                // The loop learns nothing of the reset before the relay does.
                reset.Wait(token);
                Assert.That(((IRelaySource)from.Input).TryRelay(to, default, Bytes, new NoMeter(), token, out var relay));
                end.SetResult(await relay);
            }
            catch (Exception failure)
            {
                end.TrySetException(failure);
            }
        }
    }

    private sealed class NoMeter : IRelayMeter
    {
        public void Taken(int bytes)
        {
        }

        public void Given(int bytes)
        {
        }
    }
}
