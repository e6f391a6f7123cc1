using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Support;

/// <summary>The other end of a connection, played by a test line by line. Text is Latin-1: one character, one byte.</summary>
internal sealed class ScriptedPeer(Socket socket) : IDisposable
{
    private readonly StringBuilder _received = new();
    private readonly byte[] _buffer = new byte[64 * 1024];

    // [CancelAfter] of the test that made the peer ends every wait of it.
    private readonly CancellationToken _token = TestContext.CurrentContext.CancellationToken;

    /// <summary>The connection was reset while it was read.</summary>
    public bool WasReset { get; private set; }

    public async Task SendAsync(string text) => await SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] data)
    {
        for (int at = 0; at < data.Length;)
            at += await socket.SendAsync(data.AsMemory(at), _token);
    }

    public async Task SendByteByByteAsync(string text)
    {
        socket.NoDelay = true;
        foreach (char c in text)
        {
            await SendAsync(c.ToString());
            await Task.Yield();
        }
    }

    /// <summary>Takes up to and with the marker.</summary>
    public async Task<string> ReadThroughAsync(string marker)
    {
        while (true)
        {
            int at = _received.ToString().IndexOf(marker, StringComparison.Ordinal);
            if (at >= 0)
                return Take(at + marker.Length);
            if (!await ReceiveAsync())
                throw new EndOfStreamException($"closed before '{marker}' came; got: {_received}");
        }
    }

    public Task<string> ReadHeadAsync() => ReadThroughAsync("\r\n\r\n");

    public async Task<string> ReadAsync(int count)
    {
        while (_received.Length < count)
        {
            if (!await ReceiveAsync())
                throw new EndOfStreamException($"closed before {count} bytes came; got: {_received}");
        }

        return Take(count);
    }

    /// <summary>All until FIN or reset.</summary>
    public async Task<string> ReadToEndAsync()
    {
        while (await ReceiveAsync())
        {
        }

        return Take(_received.Length);
    }

    public void ShutdownSend() => socket.Shutdown(SocketShutdown.Send);

    public void Close() => socket.Close();

    public void Reset()
    {
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    public void Dispose() => socket.Dispose();

    private string Take(int count)
    {
        string text = _received.ToString(0, count);
        _received.Remove(0, count);
        return text;
    }

    private async Task<bool> ReceiveAsync()
    {
        try
        {
            int count = await socket.ReceiveAsync(_buffer.AsMemory(), _token);
            _received.Append(Encoding.Latin1.GetString(_buffer, 0, count));
            return count > 0;
        }
        catch (SocketException)
        {
            WasReset = true;
            return false;
        }
    }
}
