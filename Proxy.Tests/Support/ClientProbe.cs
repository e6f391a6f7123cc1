using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Support;

/// <summary>The ways in which a client can ask the proxy for one connection.</summary>
internal enum ProbeKind
{
    Socks5,
    Socks5Extended,
    Socks4a,
    Connect,
    Absolute,
}

/// <summary>What a client is told.</summary>
/// <param name="Code">REP or CD of SOCKS, the status of HTTP.</param>
/// <param name="Head">The head of an HTTP answer; empty for SOCKS.</param>
/// <param name="Rest">How many bytes came behind the SOCKS reply, or the length of the HTTP body.</param>
internal sealed record ProbeAnswer(int Code, string Head, string Rest)
{
    /// <summary>The value of a header field; empty when there is none.</summary>
    public string Header(string name) => Head.Split("\r\n")
        .FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim() ?? "";
}

/// <summary>Asks for a target in one of the ways, byte for byte, and reads the whole answer to a failure.</summary>
internal static class ClientProbe
{
    public static ProbeKind[] All { get; } = Enum.GetValues<ProbeKind>();

    public static async Task<ProbeAnswer> AskAsync(ProbeKind kind, EndPoint proxy, string host, int port, CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy, token);
        await using var stream = new NetworkStream(socket, ownsSocket: false);
        switch (kind)
        {
            case ProbeKind.Connect:
                return await HttpAsync(
                    stream, string.Create(CultureInfo.InvariantCulture, $"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"),
                    token);
            case ProbeKind.Absolute:
                return await HttpAsync(
                    stream,
                    string.Create(CultureInfo.InvariantCulture, $"GET http://{host}:{port}/exit HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"),
                    token);
            case ProbeKind.Socks4a:
                // | 4 | 1 | DSTPORT | 0.0.0.x | user id, NUL | name, NUL |
                await stream.WriteAsync(
                    (byte[])[4, 1, (byte)(port >> 8), (byte)port, 0, 0, 0, 1, 0, .. Encoding.Latin1.GetBytes(host), 0], token);
                byte[] frame = await SocksClient.ReadAsync(stream, 8, token);
                return new ProbeAnswer(frame[1], "", frame[1] == 0x5A ? "" : await EndAsync(stream, token));
            default:
                byte[] reply = await SocksClient.RequestAsync(stream, host, port, token);
                return new ProbeAnswer(reply[1], "", reply[1] == 0 ? "" : await EndAsync(stream, token));
        }
    }

    /// <summary>What stands behind the reply up to the end of the stream.</summary>
    private static async Task<string> EndAsync(NetworkStream stream, CancellationToken token) =>
        Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(stream, token));

    private static async Task<ProbeAnswer> HttpAsync(NetworkStream stream, string request, CancellationToken token)
    {
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), token);
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            head.Append((char)(await SocksClient.ReadAsync(stream, 1, token))[0]);
        var answer = new ProbeAnswer(int.Parse(head.ToString().AsSpan(9, 3), CultureInfo.InvariantCulture), head.ToString(), "");
        if (answer.Header("Content-Length") is not { Length: > 0 } length)
            return answer;
        byte[] body = await SocksClient.ReadAsync(stream, int.Parse(length, CultureInfo.InvariantCulture), token);
        return answer with { Rest = Encoding.Latin1.GetString(body) };
    }
}
