using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Onion.Support;

/// <summary>Web servers, one behind each backend, which answer every request with their name and close.</summary>
internal sealed class NamedOrigins : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener[] _listeners;
    private readonly Task[] _serving;

    /// <param name="prefix">What stands before the number of each in its name.</param>
    public NamedOrigins(int count, string prefix = "origin ")
    {
        _listeners = [.. Enumerable.Range(0, count).Select(static _ => new TcpListener(IPAddress.Loopback, 0))];
        foreach (var listener in _listeners)
            listener.Start(64);
        _serving = [.. _listeners.Select((listener, i) => ServeAsync(listener, $"{prefix}{i}"))];
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
        var answering = new List<Task>();
        try
        {
            while (true)
            {
                answering.Add(AnswerAsync(await listener.AcceptSocketAsync(_stop.Token), name));
                answering.RemoveAll(static one => one.IsCompleted);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(answering);
        }
    }

    private async Task AnswerAsync(Socket client, string name)
    {
        using (client)
        {
            try
            {
                if (await client.ReceiveAsync(new byte[4096], _stop.Token) == 0)
                    return;
                string answer = $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length}\r\nConnection: close\r\n\r\n{name}";
                await client.SendAsync(Encoding.ASCII.GetBytes(answer), _stop.Token);
                client.Shutdown(SocketShutdown.Send);
                await client.ReceiveAsync(new byte[16], _stop.Token);
            }
            catch (Exception failure) when (failure is OperationCanceledException or SocketException)
            {
                // The client left, or the test is over.
            }
        }
    }
}
