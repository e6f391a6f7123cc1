using System.Buffers.Text;
using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TorBalancer.Admin.Fetch;

/// <summary>
/// Writes a result as JSON, piece by piece: a body may be 10 MiB and is never there a second time, neither as a string nor
/// as JSON.
/// </summary>
internal static class FetchAnswer
{
    /// <summary>Of the body, in one piece. A multiple of three, so that base64 has its padding at the end only.</summary>
    private const int PieceLength = 3 * 1024;

    /// <summary>What may wait to be sent, bytes.</summary>
    private const int FlushLength = 16 * 1024;

    /// <summary>What JSON makes of one byte at most: \u00XX.</summary>
    private const int LongestEscape = 6;

    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>Ends early, without an error, when nobody reads any more.</summary>
    public static async Task WriteAsync(PipeWriter output, FetchResult result, CancellationToken cancellationToken)
    {
        await using var writer = new Utf8JsonWriter(output, Options);
        writer.WriteStartObject();
        writer.WriteBoolean("success"u8, result.Success);
        if (result.Worker is not null)
            writer.WriteString("worker"u8, result.Worker);
        if (result.StatusCode is { } status)
            writer.WriteNumber("status_code"u8, status);
        if (result.Url is not null)
            writer.WriteString("url"u8, result.Url);
        writer.WriteNumber("redirects"u8, result.Redirects);
        if (result.Headers is not null)
            await WriteFieldsAsync(writer, output, result.Headers, cancellationToken);
        if (result.Body is { } body)
        {
            writer.WritePropertyName("body"u8);
            await writer.FlushAsync(cancellationToken);
            if (!await WriteBodyAsync(output, body, cancellationToken))
                return;

            if (body.Form == FetchBodyForm.Base64)
                writer.WriteString("body_encoding"u8, "base64"u8);
            if (body.Codings is not null)
                writer.WriteString("content_encoding"u8, body.Codings);
            if (body.IsTruncated)
                writer.WriteBoolean("truncated"u8, true);
        }

        if (result.Error is { } error)
        {
            writer.WriteStartObject("error"u8);
            writer.WriteString("cause"u8, error.Cause);
            writer.WriteString("message"u8, error.Message);
            writer.WriteEndObject();
        }

        writer.WriteStartObject("timing"u8);
        writer.WriteNumber("dns_ms"u8, result.Timing.DnsMs);
        writer.WriteNumber("connect_ms"u8, result.Timing.ConnectMs);
        writer.WriteNumber("total_ms"u8, result.Timing.TotalMs);
        writer.WriteEndObject();
        writer.WriteEndObject();
        await writer.FlushAsync(cancellationToken);
        await output.FlushAsync(cancellationToken);
    }

    private static async ValueTask WriteFieldsAsync(
        Utf8JsonWriter writer, PipeWriter output, IReadOnlyList<FetchField> fields, CancellationToken cancellationToken)
    {
        writer.WriteStartObject("headers"u8);
        foreach (var field in fields)
        {
            if (field.Name == "set-cookie")
            {
                writer.WriteStartArray("set-cookie"u8);
                foreach (string value in field.Values)
                    writer.WriteStringValue(value);
                writer.WriteEndArray();
            }
            else
            {
                writer.WriteString(field.Name, string.Join(", ", field.Values));
            }

            if (writer.BytesPending < FlushLength)
                continue;
            await writer.FlushAsync(cancellationToken);
            await output.FlushAsync(cancellationToken);
        }

        writer.WriteEndObject();
    }

    /// <summary>False when nobody reads any more.</summary>
    private static async ValueTask<bool> WriteBodyAsync(PipeWriter output, FetchBody body, CancellationToken cancellationToken)
    {
        output.Write("\""u8);
        int pending = 0, offset = 0;
        while (offset < body.Length)
        {
            var (read, written) = WritePiece(output, body, offset);
            offset += read;
            pending += written;
            if (pending < FlushLength)
                continue;
            pending = 0;
            if ((await output.FlushAsync(cancellationToken)).IsCompleted)
                return false;
        }

        // The writer still waits for the value, so it would leave out the comma before the next name; there always is one.
        output.Write("\","u8);
        return true;
    }

    private static (int Read, int Written) WritePiece(PipeWriter output, FetchBody body, int offset)
    {
        Span<byte> piece = stackalloc byte[PieceLength];
        piece = piece[..body.CopyTo(offset, piece)];
        var space = output.GetSpan(piece.Length * LongestEscape);
        int written;
        if (body.Form == FetchBodyForm.Base64)
            Base64.EncodeToUtf8(piece, space, out _, out written);
        else
            written = Escape(piece, space, body.Form == FetchBodyForm.Latin1);
        output.Advance(written);
        return (piece.Length, written);
    }

    /// <summary>RFC 8259, section 7: quotation mark, reverse solidus and the control characters must be escaped; nothing else is.</summary>
    private static int Escape(ReadOnlySpan<byte> text, Span<byte> space, bool isLatin1)
    {
        int length = 0;
        foreach (byte one in text)
        {
            if (one is >= 0x80 && isLatin1)
            {
                // U+0080 to U+00FF in UTF-8.
                space[length++] = (byte)(0xC0 | (one >> 6));
                space[length++] = (byte)(0x80 | (one & 0x3F));
                continue;
            }

            if (one is >= 0x20 and not (byte)'"' and not (byte)'\\')
            {
                space[length++] = one;
                continue;
            }

            space[length++] = (byte)'\\';
            byte mark = one switch
            {
                (byte)'\b' => (byte)'b',
                (byte)'\t' => (byte)'t',
                (byte)'\n' => (byte)'n',
                (byte)'\f' => (byte)'f',
                (byte)'\r' => (byte)'r',
                >= 0x20 => one,
                _ => (byte)'u',
            };
            space[length++] = mark;
            if (mark != 'u')
                continue;
            "00"u8.CopyTo(space[length..]);
            space[length + 2] = (byte)('0' + (one >> 4));
            space[length + 3] = (byte)"0123456789abcdef"[one & 0x0F];
            length += 4;
        }

        return length;
    }

    private static void Write(this PipeWriter output, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(output.GetSpan(bytes.Length));
        output.Advance(bytes.Length);
    }
}
