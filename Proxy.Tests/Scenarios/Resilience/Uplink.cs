using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>
/// The way from a worker to the Tor network, which a test can cut: a SOCKS5 proxy that tor is told to make all of its
/// connections through (Socks5Proxy).
/// </summary>
internal sealed class Uplink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _sockets = [];
    private readonly HashSet<Task> _connections = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private bool _isCut;

    public Uplink()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The line of torrc that sends a tor this way.</summary>
    public string TorrcLine => $"Socks5Proxy {_listener.LocalEndpoint}";

    /// <summary>All connections break, and every new one is answered that the network is unreachable.</summary>
    public void Cut()
    {
        Socket[] sockets;
        lock (_lock)
        {
            _isCut = true;
            sockets = [.. _sockets];
        }

        foreach (var socket in sockets)
            socket.Dispose();
    }

    public void Restore()
    {
        lock (_lock)
            _isCut = false;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        Task[] left;
        lock (_lock)
            left = [.. _connections];
        await Task.WhenAll(left);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                lock (_lock)
                {
                    _connections.RemoveWhere(static one => one.IsCompleted);
                    _connections.Add(Task.Run(() => ServeAsync(client)));
                }
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var relay = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (client)
        {
            client.NoDelay = true;
            try
            {
                var near = new NetworkStream(client);
                var address = await ReadRequestAsync(near);
                if (!TryHold(client, relay))
                {
                    await near.WriteAsync(new byte[] { 5, 3, 0, 1, 0, 0, 0, 0, 0, 0 }, _stop.Token);
                    return;
                }

                await relay.ConnectAsync(address, _stop.Token);
                await near.WriteAsync(new byte[] { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 }, _stop.Token);
                var far = new NetworkStream(relay);
                await Task.WhenAny(near.CopyToAsync(far, _stop.Token), far.CopyToAsync(near, _stop.Token));
            }
            catch (Exception failure) when (
                failure is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
            }
            finally
            {
                lock (_lock)
                {
                    _sockets.Remove(client);
                    _sockets.Remove(relay);
                }
            }
        }
    }

    /// <summary>False: cut. Both in one step, so that no connection slips through.</summary>
    private bool TryHold(Socket client, Socket relay)
    {
        lock (_lock)
        {
            if (_isCut)
                return false;
            _sockets.Add(client);
            _sockets.Add(relay);
            return true;
        }
    }

    // | 5 | n | methods | and | 5 | 1 | 0 | ATYP 1 | address | port | (RFC 1928, sections 3 and 4); relays are IPv4 addresses.
    private async Task<IPEndPoint> ReadRequestAsync(NetworkStream stream)
    {
        byte[] greeting = new byte[2];
        await stream.ReadExactlyAsync(greeting, _stop.Token);
        await stream.ReadExactlyAsync(new byte[greeting[1]], _stop.Token);
        await stream.WriteAsync(new byte[] { 5, 0 }, _stop.Token);
        byte[] request = new byte[10];
        await stream.ReadExactlyAsync(request, _stop.Token);
        if (request[3] != 1)
            throw new IOException($"a relay of address type {request[3]}");
        return new IPEndPoint(new IPAddress(request.AsSpan(4, 4)), (request[8] << 8) | request[9]);
    }
}
