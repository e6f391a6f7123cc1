using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;

namespace TorBalancer.Testnet.Origin;

/// <summary>Reads a request's body whole (RFC 9112, 6 and 7.1). The origin is for tests: 64 MiB are enough.</summary>
internal static class HttpBodyReader
{
    public const int MaxLength = 64 * 1024 * 1024;

    private const int MaxLine = 4096;

    /// <summary>The body, or null when it is malformed or too long. Throws <see cref="IOException"/> when the client ends early.</summary>
    public static async ValueTask<byte[]?> ReadAsync(PipeReader input, HttpRequestHead head, CancellationToken cancellationToken)
    {
        if (head.IsChunked)
            return await ReadChunkedAsync(input, cancellationToken);
        if (head.ContentLength is not { } length || length > MaxLength)
            return null;
        byte[] body = new byte[length];
        await ReadExactAsync(input, body, cancellationToken);
        return body;
    }

    private static async ValueTask<byte[]?> ReadChunkedAsync(PipeReader input, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        while (true)
        {
            string? line = await ReadLineAsync(input, cancellationToken);
            string? size = line?.Split(';')[0].Trim();
            if (!int.TryParse(size, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int length) || length < 0)
                return null;
            if (length == 0)
                break;
            if (body.Length + length > MaxLength)
                return null;
            byte[] chunk = new byte[length];
            await ReadExactAsync(input, chunk, cancellationToken);
            body.Write(chunk);
            if (await ReadLineAsync(input, cancellationToken) is not "")
                return null;
        }

        // The trailer section: read, not used.
        while (true)
        {
            string? line = await ReadLineAsync(input, cancellationToken);
            if (line is null)
                return null;
            if (line.Length == 0)
                return body.ToArray();
        }
    }

    private static async ValueTask ReadExactAsync(PipeReader input, Memory<byte> output, CancellationToken cancellationToken)
    {
        while (output.Length > 0)
        {
            ReadResult result = await input.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> part = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, output.Length));
            part.CopyTo(output.Span);
            output = output[(int)part.Length..];
            bool ended = result.IsCompleted && part.IsEmpty;
            input.AdvanceTo(part.End);
            if (ended)
                throw new EndOfStreamException("the body ended early");
        }
    }

    /// <summary>One line without its CRLF, or null when it is too long.</summary>
    private static async ValueTask<string?> ReadLineAsync(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await input.ReadAsync(cancellationToken);
            var reader = new SequenceReader<byte>(result.Buffer);
            if (reader.TryReadTo(out ReadOnlySequence<byte> line, "\r\n"u8))
            {
                string text = Encoding.Latin1.GetString(line);
                input.AdvanceTo(reader.Position);
                return text;
            }

            long length = result.Buffer.Length;
            input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            if (length > MaxLine)
                return null;
            if (result.IsCompleted)
                throw new EndOfStreamException("the body ended early");
        }
    }
}
