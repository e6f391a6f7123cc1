using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Server;

[CancelAfter(30_000)]
public class ProxyListenerTests
{
    private readonly ManualTimeProvider _clock = new();

    /// <summary>Of an error that comes again and again each further one is asked for later, whatever it is.</summary>
    [Test]
    public async Task An_accept_error_that_repeats_is_followed_by_a_pause(
        [
            Values(
                SocketError.ProtocolNotSupported, SocketError.InvalidArgument, SocketError.TooManyOpenSockets,
                SocketError.NoBufferSpaceAvailable, SocketError.SocketError)] SocketError error,
        CancellationToken token)
    {
        var transport = new FailingTransport(error);
        await using var proxy = await StartAsync(transport);
        int immediate = error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable ? 1 : 2;
        for (int round = 0; round < 5; round++)
        {
            await transport.WaitForAsync(immediate + round, token);
            await _clock.HasTimerAsync(token);
            Assert.That(transport.Asked, Is.EqualTo(immediate + round), "nothing is asked while the clock stands still");
            var pause = TimeSpan.FromMilliseconds(Math.Min(50 << round, 1000));
            Assert.That(_clock.UntilNextTimer, Is.EqualTo(pause));
            _clock.Advance(pause);
        }
    }

    [Test]
    public async Task What_nobody_expected_of_an_accept_does_not_end_the_listener(CancellationToken token)
    {
        var transport = new FailingTransport(new InvalidDataException());
        await using var proxy = await StartAsync(transport);
        for (int round = 1; round <= 3; round++)
        {
            await transport.WaitForAsync(round, token);
            await _clock.HasTimerAsync(token);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }
    }

    private Task<ProxyUnderTest> StartAsync(FailingTransport transport) =>
        ProxyUnderTest.StartAsync([], time: _clock, replace: services => services.AddSingleton<ITransport>(transport));

    /// <summary>Its listeners accept nothing but fail.</summary>
    private sealed class FailingTransport(Exception failure) : ITransport, ITransportListener
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public FailingTransport(SocketError error)
            : this(new SocketException((int)error))
        {
        }

        public string Name => "failing";

        public int Asked { get; private set; }

        public EndPoint LocalEndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 1);

        public ITransportListener Listen(EndPoint address, ListenSettings settings) => this;

        public Task RunAsync(Func<Task> acceptLoop) => acceptLoop();

        public ValueTask<TransportConnection> AcceptAsync(CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                Asked++;
                _more.SetResult();
                _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return ValueTask.FromException<TransportConnection>(failure);
        }

        public async Task WaitForAsync(int asked, CancellationToken token)
        {
            while (true)
            {
                Task more;
                lock (_lock)
                {
                    if (Asked >= asked)
                        return;
                    more = _more.Task;
                }

                await more.WaitAsync(token);
            }
        }

        public TransportConnection? TryAccept() => null;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        public ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
            throw new NotSupportedException();
    }
}
