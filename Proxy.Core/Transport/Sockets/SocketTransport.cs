using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>The engine over System.Net.Sockets: any platform, and what a Linux engine falls back to.</summary>
public sealed class SocketTransport : ITransport
{
    private readonly TimeProvider _time;
    private readonly SocketSettings _settings;
    private readonly DescriptorBudget _descriptors;
    private int _open;

    /// <param name="time">For the limits of tunnels.</param>
    /// <param name="socketSettings">For the connections that are made and accepted.</param>
    public SocketTransport(TimeProvider time, SocketSettings socketSettings = default)
        : this(time, socketSettings, DescriptorBudget.Unlimited())
    {
    }

    /// <param name="time">For the limits of tunnels.</param>
    /// <param name="socketSettings">For the connections that are made and accepted.</param>
    /// <param name="descriptors">What connections are taken from.</param>
    internal SocketTransport(TimeProvider time, SocketSettings socketSettings, DescriptorBudget descriptors)
    {
        (_time, _settings, _descriptors) = (time, socketSettings, descriptors);
        descriptors.Add(() => Volatile.Read(ref _open), static () => { });
    }

    public string Name => "sockets";

    public ITransportListener Listen(EndPoint address, ListenSettings settings) =>
        new SocketTransportListener(ListeningSocket.Bind(address, settings, _settings), this);

    public async ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            // socket(2) fails too: no descriptors left, or a family that this machine does not have.
            socket = CreateSocket(request.Remote);

            // One that is being connected is open as well: the budget must not take it for another's.
            Interlocked.Increment(ref _open);
            int fd = NumberOf(socket);
            if (!(request.IsService ? _descriptors.MayProbeHave(fd) : _descriptors.MayTrafficHave(fd)))
                throw new SocketException((int)SocketError.TooManyOpenSockets);
            SocketTuning.Apply(socket, _settings, request.Remote);
            request.Binding.Apply(socket);
            await socket.ConnectAsync(request.Remote, cancellationToken);
            for (var left = request.Opening; !left.IsEmpty;)
                left = left[await socket.SendAsync(left, SocketFlags.None, cancellationToken)..];
            return new TransportConnectResult(new SocketConnection(socket, this), SocketError.Success);
        }
        catch (SocketException failure)
        {
            Drop(socket);
            return new TransportConnectResult(null, failure.SocketErrorCode);
        }
        catch
        {
            Drop(socket);
            throw;
        }
    }

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        _ = new SocketTunnel((SocketConnection)client, (SocketConnection)upstream, settings, _time).RunAsync(owner);

    /// <summary>One that was accepted, counted as long as it is open; throws <see cref="SocketException"/> when it broke already.</summary>
    internal SocketConnection WrapAccepted(Socket socket)
    {
        // It is served, or told that it cannot be: what matters is that no further one is promised room.
        _ = _descriptors.MayTrafficHave(NumberOf(socket));
        var connection = new SocketConnection(socket, this);
        Interlocked.Increment(ref _open);
        return connection;
    }

    internal void Closed() => Interlocked.Decrement(ref _open);

    /// <summary>One that was never connected.</summary>
    private void Drop(Socket? socket)
    {
        if (socket is null)
            return;
        socket.Dispose();
        Closed();
    }

    private static int NumberOf(Socket socket) => OperatingSystem.IsWindows() ? 0 : (int)socket.Handle;

    internal static Socket CreateSocket(EndPoint endPoint) => endPoint switch
    {
        UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        _ => new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp),
    };
}
