using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Tests.Support;

/// <summary>A TCP port on loopback that leads to a unix socket, for clients that know no unix sockets.</summary>
internal sealed class UnixBridge : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly UnixDomainSocketEndPoint _target;
    private readonly Task _serving;

    /// <param name="path">Of the socket; nobody need listen there yet.</param>
    public UnixBridge(string path)
    {
        _target = new UnixDomainSocketEndPoint(path);
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>host:port.</summary>
    public string Address => _listener.LocalEndpoint.ToString()!;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        var carrying = new List<Task>();
        try
        {
            while (true)
            {
                carrying.Add(CarryAsync(await _listener.AcceptSocketAsync(_stop.Token)));
                carrying.RemoveAll(static one => one.IsCompleted);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(carrying);
        }
    }

    private async Task CarryAsync(Socket client)
    {
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await using var outer = new NetworkStream(client, ownsSocket: true);
        try
        {
            await server.ConnectAsync(_target, _stop.Token);
            await using var inner = new NetworkStream(server);

            // Whoever ends first ends both.
            await Task.WhenAny(outer.CopyToAsync(inner, _stop.Token), inner.CopyToAsync(outer, _stop.Token));
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or IOException)
        {
            // Nobody listens there, or the test is over.
        }
    }
}
