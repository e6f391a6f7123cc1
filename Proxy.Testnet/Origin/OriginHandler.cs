using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace TorBalancer.Testnet.Origin;

/// <summary>
/// The origin server of the test network: HTTP/1.1 over a socket, without a framework in between that would tidy up what
/// a proxy forwarded. Its pages are listed in <see cref="Help"/>.
/// </summary>
/// <param name="exits">Which exit's visitors arrive at which of our addresses.</param>
internal sealed class OriginHandler(IReadOnlyDictionary<IPAddress, string> exits, TimeProvider time)
{
    /// <summary>The start page.</summary>
    public const string Help = """
        TorBalancer test origin. Everything here came through a private Tor network on loopback.
        /exit       the exit relay that the request came through (by name; "unknown" for IP literals and the onion service)
        /bytes/N    N bytes of a fixed sequence          /chunked/N  the same, chunked
        /echo       the request's body                   /headers    the request's head as it arrived
        /sha256     the hash of the request's body, in hexadecimal
        /status/NNN that status (200-599)                /slow/MS    answers after MS milliseconds

        """;

    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(10);

    /// <summary>Serves one connection until either side is done with it.</summary>
    public async Task RunAsync(Socket client, CancellationToken cancellationToken)
    {
        client.NoDelay = true;
        string exit = client.LocalEndPoint is IPEndPoint local && exits.TryGetValue(local.Address, out string? name) ? name : "unknown";
        await using var stream = new NetworkStream(client, ownsSocket: false);
        PipeReader input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        try
        {
            while (await ServeAsync(input, stream, exit, cancellationToken))
            {
            }

            client.Shutdown(SocketShutdown.Send);
        }
        finally
        {
            await input.CompleteAsync();
        }
    }

    /// <summary>One request and its response. False: the connection is done.</summary>
    private async Task<bool> ServeAsync(PipeReader input, Stream output, string exit, CancellationToken cancellationToken)
    {
        HttpRequestHead? head;
        while (true)
        {
            ReadResult result = await input.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (HttpRequestHead.TryRead(ref buffer, out head))
            {
                input.AdvanceTo(buffer.Start);
                break;
            }

            input.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
                return false;
        }

        if (head is null)
        {
            await output.WriteAsync(
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), cancellationToken);
            return false;
        }

        var response = new HttpResponseWriter(output, head);
        if (head.ExpectsContinue)
            await response.ContinueAsync(cancellationToken);
        if (await HttpBodyReader.ReadAsync(input, head, cancellationToken) is not { } body)
            await response.RefuseAsync(413, "the body is malformed or too long\n", cancellationToken);
        else
            await RespondAsync(head, body, response, exit, cancellationToken);
        return response.KeepAlive;
    }

    private Task RespondAsync(
        HttpRequestHead head, byte[] body, HttpResponseWriter response, string exit, CancellationToken cancellationToken)
    {
        string[] parts = head.Path.Split('/');
        long number = 0;
        bool numbered = parts.Length == 3 && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return (parts.Length > 1 ? parts[1] : "", parts.Length, numbered) switch
        {
            ("", 2, _) => response.TextAsync(200, Help, cancellationToken),
            ("exit", 2, _) => response.TextAsync(200, exit + "\n", cancellationToken),
            ("headers", 2, _) => response.BytesAsync(200, "text/plain", Encoding.Latin1.GetBytes(head.Raw), cancellationToken),
            ("echo", 2, _) => response.BytesAsync(200, head["Content-Type"] ?? "application/octet-stream", body, cancellationToken),
            ("sha256", 2, _) => response.TextAsync(200, Convert.ToHexStringLower(SHA256.HashData(body)) + "\n", cancellationToken),
            ("bytes", _, true) => response.PatternAsync(number, cancellationToken),
            ("chunked", _, true) => response.ChunkedPatternAsync(number, cancellationToken),
            ("slow", _, true) when number <= LongestDelay.TotalMilliseconds => SlowAsync(number, response, cancellationToken),
            ("status", _, true) when number is >= 200 and <= 599 => response.TextAsync(
                (int)number, $"status {parts[2]}\n", cancellationToken, number is >= 300 and <= 399 and not 304 ? "Location: /\r\n" : ""),
            _ => response.TextAsync(404, "no such page\n", cancellationToken),
        };
    }

    private async Task SlowAsync(long milliseconds, HttpResponseWriter response, CancellationToken cancellationToken)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), time, cancellationToken);
        await response.TextAsync(200, $"waited {milliseconds.ToString(CultureInfo.InvariantCulture)} ms\n", cancellationToken);
    }
}
