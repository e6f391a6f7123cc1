using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Testnet.Origin;

/// <summary>Accepts TCP connections on some loopback addresses and hands each to a handler; knows and ends all of them.</summary>
internal sealed class LoopbackServer : IAsyncDisposable
{
    private static readonly TimeSpan AcceptBackOff = TimeSpan.FromMilliseconds(50);

    private readonly Func<Socket, CancellationToken, Task> _handler;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Socket> _listeners = [];
    private readonly List<Task> _accepting = [];
    private readonly ConcurrentDictionary<long, Task> _connections = new();
    private long _lastId;
    private int _disposed;

    private LoopbackServer(Func<Socket, CancellationToken, Task> handler, TimeProvider time)
    {
        _handler = handler;
        _time = time;
    }

    /// <summary>The addresses that were bound, with their real ports, in the order given.</summary>
    public IReadOnlyList<IPEndPoint> LocalEndPoints { get; private set; } = [];

    /// <summary>Binds all of them or throws <see cref="SocketException"/>. The handler owns its socket.</summary>
    public static LoopbackServer Start(
        IReadOnlyList<IPEndPoint> addresses, Func<Socket, CancellationToken, Task> handler, TimeProvider? time = null)
    {
        var server = new LoopbackServer(handler, time ?? TimeProvider.System);
        try
        {
            foreach (IPEndPoint address in addresses)
                server._listeners.Add(Listen(address));
        }
        catch
        {
            server._listeners.ForEach(l => l.Dispose());
            throw;
        }

        server.LocalEndPoints = server._listeners.ConvertAll(l => (IPEndPoint)l.LocalEndPoint!);
        foreach (Socket listener in server._listeners)
            server._accepting.Add(server.AcceptAsync(listener));
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _stop.CancelAsync();
        await Task.WhenAll(_accepting);
        foreach (Socket listener in _listeners)
            listener.Dispose();
        await Task.WhenAll(_connections.Values);
        _stop.Dispose();
    }

    private static Socket Listen(IPEndPoint address)
    {
        LoopbackGuard.Require(address);
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(512);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            try
            {
                Socket client = await listener.AcceptAsync(_stop.Token);
                long id = Interlocked.Increment(ref _lastId);

                // The task must be in the table before it can remove itself from it.
                var registered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _connections[id] = HandleAsync(id, client, registered.Task);
                registered.SetResult();
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // Out of descriptors, or a client that left while it was queued. Going on at once could spin.
                await Task.Delay(AcceptBackOff, _time, CancellationToken.None);
            }
        }
    }

    private async Task HandleAsync(long id, Socket client, Task registered)
    {
        await registered;
        try
        {
            using (client)
                await _handler(client, _stop.Token);
        }
        catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException)
        {
            // The client went away, or we are stopping.
        }
        finally
        {
            _connections.TryRemove(id, out _);
        }
    }
}
