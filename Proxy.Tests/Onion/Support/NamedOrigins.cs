using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Tests.Onion.Support;

/// <summary>Web servers that answer every request with their name.</summary>
internal sealed class NamedOrigins : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener[] _listeners;
    private readonly Task[] _serving;

    public NamedOrigins(int count)
    {
        _listeners = [.. Enumerable.Range(0, count).Select(static _ => new TcpListener(IPAddress.Loopback, 0))];
        foreach (var listener in _listeners)
            listener.Start();
        _serving = [.. _listeners.Select((listener, i) => ServeAsync(listener, $"origin {i}"))];
    }

    public int Port(int index) => ((IPEndPoint)_listeners[index].LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var listener in _listeners)
            listener.Dispose();
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task ServeAsync(TcpListener listener, string name)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptSocketAsync(_stop.Token);
                await client.ReceiveAsync(new byte[4096], _stop.Token);
                string answer = $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length}\r\nConnection: close\r\n\r\n{name}";
                await client.SendAsync(System.Text.Encoding.ASCII.GetBytes(answer), _stop.Token);
                client.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
