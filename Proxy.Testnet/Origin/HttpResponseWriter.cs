using System.Globalization;
using System.Text;

namespace TorBalancer.Testnet.Origin;

/// <summary>Writes responses to one request: framing, HEAD and keep-alive are decided here, contents elsewhere.</summary>
internal sealed class HttpResponseWriter(Stream output, HttpRequestHead request)
{
    private const int PartSize = 16 * 1024;

    // Chunks of changing size, so that their borders fall everywhere.
    private static readonly int[] ChunkSizes = [1, 10, 255, 256, 1000, 4096, 16_384];

    /// <summary>False once a response was sent that ends the connection.</summary>
    public bool KeepAlive { get; private set; } = request.KeepAlive;

    public Task ContinueAsync(CancellationToken cancellationToken) =>
        output.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), cancellationToken).AsTask();

    /// <summary>An error about the request itself, after which its bytes cannot be trusted: the connection ends.</summary>
    public Task RefuseAsync(int status, string text, CancellationToken cancellationToken)
    {
        KeepAlive = false;
        return TextAsync(status, text, cancellationToken);
    }

    public Task TextAsync(int status, string text, CancellationToken cancellationToken, string headers = "") =>
        BytesAsync(status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text), cancellationToken, headers);

    public async Task BytesAsync(
        int status, string type, ReadOnlyMemory<byte> body, CancellationToken cancellationToken, string headers = "")
    {
        bool bodiless = status is 204 or 304;
        string length = bodiless
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $"Content-Type: {type}\r\nContent-Length: {body.Length}\r\n");
        byte[] head = Head(status, length + headers);

        // One write: a short page is one segment.
        await output.WriteAsync(bodiless || request.IsHead ? head : [.. head, .. body.Span], cancellationToken);
    }

    /// <summary>The first <paramref name="count"/> bytes of <see cref="TestPattern"/> with their length announced.</summary>
    public async Task PatternAsync(long count, CancellationToken cancellationToken)
    {
        string fields = string.Create(
            CultureInfo.InvariantCulture, $"Content-Type: application/octet-stream\r\nContent-Length: {count}\r\n");
        await output.WriteAsync(Head(200, fields), cancellationToken);
        if (request.IsHead)
            return;
        byte[] part = new byte[PartSize];
        for (long at = 0; at < count;)
        {
            Memory<byte> next = part.AsMemory(0, (int)Math.Min(part.Length, count - at));
            TestPattern.Fill(at, next.Span);
            await output.WriteAsync(next, cancellationToken);
            at += next.Length;
        }
    }

    /// <summary>The same bytes in chunks; to an HTTP/1.0 client, which knows none, until the connection ends.</summary>
    public async Task ChunkedPatternAsync(long count, CancellationToken cancellationToken)
    {
        bool chunked = request.Version == "HTTP/1.1";
        KeepAlive &= chunked;
        string fields = "Content-Type: application/octet-stream\r\n" + (chunked ? "Transfer-Encoding: chunked\r\n" : "");
        await output.WriteAsync(Head(200, fields), cancellationToken);
        if (request.IsHead)
            return;
        int turn = 0;
        for (long at = 0; at < count;)
        {
            byte[] part = new byte[Math.Min(ChunkSizes[turn++ % ChunkSizes.Length], count - at)];
            TestPattern.Fill(at, part);
            at += part.Length;
            if (!chunked)
            {
                await output.WriteAsync(part, cancellationToken);
                continue;
            }

            string size = string.Create(CultureInfo.InvariantCulture, $"{part.Length:x}\r\n");
            await output.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(size), .. part, .. "\r\n"u8], cancellationToken);
        }

        if (chunked)
            await output.WriteAsync("0\r\n\r\n"u8.ToArray(), cancellationToken);
    }

    private byte[] Head(int status, string fields) => Encoding.ASCII.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"HTTP/1.1 {status} {Reason(status)}\r\n{fields}{(KeepAlive ? ConnectionField : "Connection: close\r\n")}\r\n"));

    // HTTP/1.0 clients go on only when told so.
    private string ConnectionField => request.Version == "HTTP/1.0" ? "Connection: keep-alive\r\n" : "";

    private static string Reason(int status) => status switch
    {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    };
}
