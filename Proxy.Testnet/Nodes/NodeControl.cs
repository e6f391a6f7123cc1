using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Testnet.Nodes;

/// <summary>A reply of tor's control port: its last code, and all lines without code.</summary>
internal readonly record struct NodeControlReply(int Code, IReadOnlyList<string> Lines)
{
    public bool IsOk => Code == 250;
}

/// <summary>
/// A few commands to a node's control socket, one at a time: what starting a network needs. Workers in service are
/// watched elsewhere.
/// </summary>
internal sealed class NodeControl : IDisposable
{
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;
    private readonly Queue<string> _events = new();

    private NodeControl(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream, Encoding.Latin1);
    }

    /// <summary>
    /// Connects and authenticates. Throws <see cref="IOException"/> or <see cref="SocketException"/> while tor is not that far.
    /// </summary>
    public static async Task<NodeControl> ConnectAsync(TestNode node, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(node.ControlPath), cancellationToken);
            byte[] cookie = await File.ReadAllBytesAsync(node.CookiePath, cancellationToken);
            var control = new NodeControl(socket);
            NodeControlReply reply = await control.SendAsync("AUTHENTICATE " + Convert.ToHexString(cookie), cancellationToken);
            if (!reply.IsOk)
                throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{node}: authentication refused ({reply.Code})"));
            return control;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends one command and reads its reply; events that come in between are kept for <see cref="NextEventAsync"/>.</summary>
    public async Task<NodeControlReply> SendAsync(string command, CancellationToken cancellationToken)
    {
        await _stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"), cancellationToken);
        var lines = new List<string>();
        while (true)
        {
            string line = await ReadLineAsync(cancellationToken);
            if (line.StartsWith("650", StringComparison.Ordinal))
            {
                await KeepEventAsync(line, cancellationToken);
                continue;
            }

            lines.Add(line[4..]);
            if (line[3] == '+')
                await SkipDataAsync(cancellationToken);
            if (line[3] == ' ')
                return new NodeControlReply(int.Parse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture), lines);
        }
    }

    /// <summary>The first line of the next event, without its code.</summary>
    public async Task<string> NextEventAsync(CancellationToken cancellationToken)
    {
        string? next;
        while (!_events.TryDequeue(out next))
            await KeepEventAsync(await ReadLineAsync(cancellationToken), cancellationToken);
        return next;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _stream.Dispose();
    }

    private async Task KeepEventAsync(string line, CancellationToken cancellationToken)
    {
        _events.Enqueue(line[4..]);
        while (line[3] != ' ')
        {
            if (line[3] == '+')
                await SkipDataAsync(cancellationToken);
            line = await ReadLineAsync(cancellationToken);
        }
    }

    private async Task SkipDataAsync(CancellationToken cancellationToken)
    {
        while (await _reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line == ".")
                return;
        }

        throw new EndOfStreamException("the control connection ended");
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        string line = await _reader.ReadLineAsync(cancellationToken) ?? throw new EndOfStreamException("the control connection ended");
        return line.Length >= 4 ? line : throw new IOException($"not a control reply: {line}");
    }
}
