using System.Buffers;
using System.Text;

namespace TorBalancer.Admin.Fetch;

/// <summary>A body as JSON can carry it.</summary>
/// <param name="Text">Text, or base64.</param>
/// <param name="IsBase64">True when it is base64.</param>
/// <param name="Truncated">True when the target had more to say than <see cref="FetchBody.MaxLength"/>.</param>
internal readonly record struct FetchBodyText(string Text, bool IsBase64, bool Truncated);

/// <summary>Reads bodies up to a limit, and tells text from bytes.</summary>
internal static class FetchBody
{
    /// <summary>10 MiB, after decompression.</summary>
    public const int MaxLength = 10 * 1024 * 1024;

    public static async ValueTask<FetchBodyText> ReadAsync(Stream body, string? charset, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        bool truncated = false;
        try
        {
            int count;
            while (!truncated && (count = await body.ReadAsync(buffer, cancellationToken)) > 0)
            {
                int room = MaxLength - (int)bytes.Length;
                truncated = count > room;
                bytes.Write(buffer, 0, Math.Min(count, room));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return Encode(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), charset, truncated);
    }

    /// <summary>
    /// Text when it decodes without loss under the charset it declares (UTF-8 when it declares none) and holds no NUL;
    /// base64 otherwise. So the bytes can always be had back.
    /// </summary>
    internal static FetchBodyText Encode(ReadOnlySpan<byte> bytes, string? charset, bool truncated)
    {
        if (!bytes.Contains((byte)0) && StrictEncoding(charset) is { } encoding)
        {
            // A cut may have gone through the middle of a character (4 bytes at most in UTF-8).
            for (int cut = 0; cut <= (truncated ? Math.Min(3, bytes.Length) : 0); cut++)
            {
                try
                {
                    return new FetchBodyText(encoding.GetString(bytes[..^cut]), false, truncated);
                }
                catch (DecoderFallbackException)
                {
                }
            }
        }

        return new FetchBodyText(Convert.ToBase64String(bytes), true, truncated);
    }

    /// <summary>Null for charsets that this runtime cannot decode, and for those whose text holds NULs.</summary>
    private static Encoding? StrictEncoding(string? charset) => charset?.Trim('"', '\'', ' ').ToLowerInvariant() switch
    {
        null or "" or "utf-8" or "utf8" or "us-ascii" or "ascii" => Strict(65001),
        "iso-8859-1" or "latin1" => Strict(28591),
        _ => null,
    };

    private static Encoding Strict(int page) => Encoding.GetEncoding(page, EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback);
}
