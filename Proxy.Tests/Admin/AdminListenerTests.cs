using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Daemon.Admin;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Admin;

[CancelAfter(30_000)]
public class AdminListenerTests
{
    private readonly ManualTimeProvider _clock = new();

    [Test]
    public async Task AcceptAsync_after_an_error_that_repeats_waits_a_little(CancellationToken token)
    {
        // It does not listen any more, so every accept fails (EINVAL).
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        socket.Shutdown(SocketShutdown.Receive);
        await using var listener = Create(socket, DescriptorBudget.Unlimited());
        var accepting = listener.AcceptAsync(token).AsTask();
        for (int round = 0; round < 3; round++)
        {
            await _clock.HasTimerAsync(token);
            Assert.That(accepting.IsCompleted, Is.False);
            Assert.That(_clock.UntilNextTimer, Is.EqualTo(AdminListener.Pause));
            _clock.Advance(AdminListener.Pause);
        }

        await listener.UnbindAsync(token);
        Assert.That(await accepting, Is.Null);
    }

    [Test]
    public async Task AcceptAsync_closes_what_the_runtime_needs_the_descriptor_of(CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();

        // Any number is beyond this end.
        await using var listener = Create(socket, new DescriptorBudget(new NoneLeft()));
        var accepting = listener.AcceptAsync(token).AsTask();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.EndPoint, token);
        Assert.That(await client.GetStream().ReadAsync(new byte[1], token), Is.Zero);
        Assert.That(accepting.IsCompleted, Is.False);
        await listener.UnbindAsync(token);
        Assert.That(await accepting, Is.Null);
    }

    private AdminListener Create(Socket socket, DescriptorBudget descriptors) => new(
        socket, new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), NullLogger.Instance), descriptors, _clock);

    private sealed class NoneLeft : IOpenDescriptors
    {
        public int Limit => 2;

        public int Count() => 0;
    }
}
