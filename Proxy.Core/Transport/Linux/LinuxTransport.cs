using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// The engine for Linux: event loops over epoll, tunnels by splice(2). A connection lives on one loop from accept to close,
/// and so does the connection to its worker, since it is made from there.
/// </summary>
public sealed class LinuxTransport : ITransport, IDisposable
{
    private readonly EventLoop[] _loops;
    private readonly SocketSettings _settings;

    /// <param name="loops">Threads; at least 1.</param>
    /// <param name="settings">For the connections that are made and accepted.</param>
    /// <param name="failed">Told of exceptions that nobody else took.</param>
    public LinuxTransport(int loops, SocketSettings settings = default, Action<Exception>? failed = null)
        : this(loops, settings, failed, PipePool.UsualLimit)
    {
    }

    /// <param name="loops">Threads; at least 1.</param>
    /// <param name="settings">For the connections that are made and accepted.</param>
    /// <param name="failed">Told of exceptions that nobody else took.</param>
    /// <param name="pipes">Pipes that each loop has for splicing at most; whoever gets none copies.</param>
    /// <param name="descriptors">What connections and pipes are taken from; null: there is no bound.</param>
    internal LinuxTransport(int loops, SocketSettings settings, Action<Exception>? failed, int pipes, DescriptorBudget? descriptors = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(loops, 1);
        _settings = settings;
        _loops = new EventLoop[loops];
        descriptors ??= DescriptorBudget.Unlimited();
        try
        {
            for (int i = 0; i < loops; i++)
                _loops[i] = new EventLoop($"loop-{i}", failed ?? (static _ => { }), new PipePool(pipes, Math.Max(1, PipePool.MostLarge / loops), descriptors));
        }
        catch
        {
            foreach (var loop in _loops)
                loop?.Dispose();
            throw;
        }

        descriptors.Add(CountOpen, TrimPipes);
    }

    public string Name => "linux";

    internal IReadOnlyList<EventLoop> Loops => _loops;

    /// <summary>True where the engine can run: epoll_event's layout is known for these.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    public ITransportListener Listen(EndPoint address, ListenSettings settings)
    {
        var listening = ListeningSocket.Bind(address, settings, _settings);
        listening.Socket.Blocking = false;
        return new LinuxListener(this, Least(), listening);
    }

    public ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<TransportConnectResult>(cancellationToken);
        if (EventLoop.Current is not { } loop || Array.IndexOf(_loops, loop) < 0)
            return new ConnectOperation(Least(), request, _settings, inline: false).RunAsync(cancellationToken);
        int error = ConnectOperation.Start(loop, request, _settings, out int fd);
        return error switch
        {
            0 => ValueTask.FromResult(new TransportConnectResult(new LinuxConnection(loop, fd, (request.Remote as IPEndPoint)?.Address, isCounted: true), SocketError.Success)),
            Errno.InProgress => new ConnectOperation(loop, request, _settings, inline: true).FinishAsync(fd, cancellationToken),
            _ => ValueTask.FromResult(new TransportConnectResult(null, Errno.ToSocketError(error))),
        };
    }

    public void BeginTunnel(TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
        new LinuxTunnel((LinuxConnection)client, (LinuxConnection)upstream, settings, owner).Begin();

    /// <summary>Ends the loops. What still goes on over them stops where it is.</summary>
    public void Dispose()
    {
        foreach (var loop in _loops)
            loop.Dispose();
    }

    /// <summary>For an accepted connection: where there are fewest, the acceptor's own when it makes no difference.</summary>
    internal EventLoop ChooseLoop(EventLoop acceptor)
    {
        var least = Least();
        return least.Connections < acceptor.Connections ? least : acceptor;
    }

    private int CountOpen()
    {
        int open = 0;
        foreach (var loop in _loops)
            open += loop.Connections + loop.Pipes.Open;
        return open;
    }

    private void TrimPipes()
    {
        foreach (var loop in _loops)
            loop.Post(loop.Pipes);
    }

    private EventLoop Least()
    {
        var least = _loops[0];
        for (int i = 1; i < _loops.Length; i++)
        {
            if (_loops[i].Connections < least.Connections)
                least = _loops[i];
        }

        return least;
    }
}
