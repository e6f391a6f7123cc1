using System.Net;
using System.Net.Sockets;
using TorBalancer.Interop;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// The engine for Linux: event loops over epoll, tunnels by splice(2). A connection lives on one loop from accept to close,
/// and so does the connection to its worker, since it is made from there.
/// </summary>
public sealed class LinuxTransport : ITransport, IDisposable
{
    private readonly EventLoops _loops;
    private readonly SocketSettings _settings;

    /// <param name="loops">Threads; at least 1.</param>
    /// <param name="settings">For the connections that are made and accepted.</param>
    /// <param name="failed">Told of exceptions that nobody else took.</param>
    public LinuxTransport(int loops, SocketSettings settings = default, Action<Exception>? failed = null)
        : this(new EventLoops(loops, failed), settings)
    {
    }

    /// <param name="loops">Disposed with this.</param>
    /// <param name="settings">For the connections that are made and accepted.</param>
    internal LinuxTransport(EventLoops loops, SocketSettings settings) => (_loops, _settings) = (loops, settings);

    public string Name => "linux";

    /// <summary>True where the engine can run: epoll_event's layout is known for these.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    public ITransportListener Listen(EndPoint address, ListenSettings settings)
    {
        var listening = ListeningSocket.Bind(address, settings, _settings);
        listening.Socket.Blocking = false;
        return new LinuxListener(_loops, _loops.Least(), listening);
    }

    public ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<TransportConnectResult>(cancellationToken);
        if (EventLoop.Current is not { } loop || _loops.All.IndexOf(loop) < 0)
            return new ConnectOperation(_loops.Least(), request, _settings, inline: false).RunAsync(cancellationToken);
        int error = ConnectOperation.Start(loop, request, _settings, out int fd);
        return error switch
        {
            0 =>
                ValueTask.FromResult(
                    new TransportConnectResult(
                        new LinuxConnection(loop, fd, (request.Remote as IPEndPoint)?.Address, isCounted: true), SocketError.Success)),
            Errno.InProgress => new ConnectOperation(loop, request, _settings, inline: true).FinishAsync(fd, cancellationToken),
            _ => ValueTask.FromResult(new TransportConnectResult(null, SocketErrors.Of(error))),
        };
    }

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        new LinuxTunnel((LinuxConnection)client, (LinuxConnection)upstream, settings, owner).Begin();

    public Task WhenTurnedAsync() => _loops.WhenTurnedAsync();

    /// <summary>Ends the loops. What still goes on over them stops where it is.</summary>
    public void Dispose() => _loops.Dispose();
}
