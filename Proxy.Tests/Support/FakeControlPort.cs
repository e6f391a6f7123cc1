using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Support;

/// <summary>
/// A scripted control port. <see cref="Script"/> gets each command and returns the raw reply (CRLF included), "" for
/// silence, or null to close the connection. <see cref="PushAsync"/> sends anything at any time.
/// </summary>
internal sealed class FakeControlPort : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Socket, byte> _connections = new();
    private readonly Task _accepting;

    public FakeControlPort(EndPoint? endPoint = null)
    {
        endPoint ??= new IPEndPoint(IPAddress.Loopback, 0);
        _listener = new Socket(
            endPoint.AddressFamily, SocketType.Stream, endPoint is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        _listener.Bind(endPoint);
        _listener.Listen(16);
        EndPoint = endPoint is IPEndPoint ? _listener.LocalEndPoint! : endPoint;
        _accepting = AcceptAsync();
    }

    public EndPoint EndPoint { get; }

    /// <summary>All commands that came, in order.</summary>
    public ConcurrentQueue<string> Commands { get; } = new();

    public Func<string, string?> Script { get; set; } = DefaultScript;

    /// <summary>Lets everybody in and says OK to everything.</summary>
    public static string? DefaultScript(string command) => command switch
    {
        "PROTOCOLINFO 1" => "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"0.4.9.11\"\r\n250-FUTURE a=b\r\n250 OK\r\n",
        _ => "250 OK\r\n",
    };

    /// <summary>Sends to every open connection.</summary>
    public async Task PushAsync(string text)
    {
        foreach (var connection in _connections.Keys)
            await SendAllAsync(connection, text);
    }

    public void CloseConnections()
    {
        foreach (var connection in _connections.Keys)
            connection.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        CloseConnections();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
                serving.Add(ServeAsync(await _listener.AcceptAsync(_stop.Token)));
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }

        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(Socket connection)
    {
        _connections.TryAdd(connection, 0);
        using var owned = connection;
        try
        {
            await using var stream = new NetworkStream(connection, ownsSocket: false);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            while (await reader.ReadLineAsync(_stop.Token) is { } command)
            {
                // A command with data goes on to a line of one dot; it is kept as one, its lines joined by \n.
                for (string? line = command; command.StartsWith('+') && line is not (null or ".");)
                {
                    line = await reader.ReadLineAsync(_stop.Token);
                    command += "\n" + line;
                }

                Commands.Enqueue(command);
                if (Script(command) is not { } reply)
                    return;
                await SendAllAsync(connection, reply);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
        }
        finally
        {
            _connections.TryRemove(connection, out _);
        }
    }

    private static async Task SendAllAsync(Socket connection, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        for (int sent = 0; sent < bytes.Length;)
            sent += await connection.SendAsync(bytes.AsMemory(sent));
    }
}
