using System.Globalization;

namespace TorBalancer.Protocols.Http;

/// <summary>How the end of a body is known (RFC 9112, section 6.3).</summary>
internal enum HttpBodyKind : byte
{
    None,
    Length,
    Chunked,

    /// <summary>Responses only: all that comes until the sender closes.</summary>
    UntilClose,
}

/// <summary>Content-Length and Transfer-Encoding of one message, taken together.</summary>
internal readonly record struct HttpFraming(bool Chunked, long ContentLength, string? Problem)
{
    /// <summary>
    /// Reads both fields. Whatever two recipients could understand differently is a problem, never a guess: both
    /// fields at once, lengths that differ or are no plain number, any coding but exactly one "chunked", and a transfer
    /// coding of a peer that speaks HTTP/1.0 (RFC 9112, sections 6.1-6.3).
    /// </summary>
    public static HttpFraming Read(HttpHead head, int minorVersion)
    {
        long length = -1;
        int codings = 0;
        bool transferEncoding = false;
        foreach (ref readonly var field in head.Fields)
        {
            var value = head.Value(field);
            if (field.Id == HttpFieldId.ContentLength)
            {
                if (!TryParseLengths(value, out long found))
                    return Bad("a Content-Length that is no number");
                if (length >= 0 && found != length)
                    return Bad("several Content-Length that differ");
                length = found;
            }
            else if (field.Id == HttpFieldId.TransferEncoding)
            {
                transferEncoding = true;
                while (HttpChars.TryTakeListMember(ref value, out var coding))
                {
                    if (++codings > 1 || !HttpChars.EqualsIgnoreCase(coding, "chunked"u8))
                        return Bad("a Transfer-Encoding other than chunked");
                }
            }
        }

        if (!transferEncoding)
            return new HttpFraming(false, length, null);
        if (length >= 0)
            return Bad("both Content-Length and Transfer-Encoding");
        if (minorVersion == 0)
            return Bad("a Transfer-Encoding in HTTP/1.0");
        return codings == 1 ? new HttpFraming(true, -1, null) : Bad("a Transfer-Encoding without a coding");
    }

    private static HttpFraming Bad(string problem) => new(false, -1, problem);

    /// <summary>"5", and also "5, 5", which comes of merged duplicates (RFC 9110, section 8.6).</summary>
    private static bool TryParseLengths(ReadOnlySpan<byte> value, out long length)
    {
        length = -1;
        while (true)
        {
            int comma = value.IndexOf((byte)',');
            var digits = HttpChars.TrimOws(comma < 0 ? value : value[..comma]);
            if (digits.IsEmpty || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
                return false;
            if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long found) || (length >= 0 && found != length))
                return false;
            length = found;
            if (comma < 0)
                return true;
            value = value[(comma + 1)..];
        }
    }
}
