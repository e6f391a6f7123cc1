using System.Globalization;

namespace TorBalancer.Protocols.Http;

/// <summary>Content-Length and Transfer-Encoding of one message, taken together.</summary>
/// <param name="Chunked">The body is chunked.</param>
/// <param name="ContentLength">What Content-Length says, whatever else is wrong; -1 when it says nothing certain.</param>
/// <param name="Problem">Why the body's end is uncertain; null when it is not.</param>
/// <param name="IsRepaired">A transfer coding that changes nothing, or an empty length, was left out.</param>
internal readonly record struct HttpFraming(bool Chunked, long ContentLength, string? Problem, bool IsRepaired)
{
    /// <summary>
    /// Reads both fields. Whatever two recipients could understand differently is a problem, never a guess: both
    /// fields at once, lengths that differ or are no plain number, any coding but exactly one "chunked", and a transfer
    /// coding of a peer that speaks HTTP/1.0 (RFC 9112, sections 6.1-6.3).
    /// </summary>
    /// <param name="head">The message.</param>
    /// <param name="minorVersion">Of its HTTP version.</param>
    /// <param name="lenient">
    /// For responses: "identity" and "none" in front of everything else, and an empty list, are no coding at all (RFC 2616,
    /// section 3.6), and empty members of a list of lengths say nothing (RFC 9110, section 5.6.1). Old servers send them, and
    /// clients agree on what they mean.
    /// </param>
    public static HttpFraming Read(HttpHead head, int minorVersion, bool lenient)
    {
        long length = -1;
        bool chunked = false;
        bool transferEncoding = false;
        bool identity = false, emptyLength = false;
        string? lengthProblem = null;
        string? codingProblem = null;
        foreach (ref readonly var field in head.Fields)
        {
            var value = head.Value(field);
            if (field.Id == HttpFieldId.ContentLength)
            {
                if (!TryParseLengths(value, lenient, ref emptyLength, out long found))
                    lengthProblem = "a Content-Length that is no number";
                else if (length >= 0 && found >= 0 && found != length)
                    lengthProblem = "several Content-Length that differ";
                if (found >= 0)
                    length = found;
            }
            else if (field.Id == HttpFieldId.TransferEncoding)
            {
                transferEncoding = true;
                while (HttpChars.TryTakeListMember(ref value, out var coding))
                {
                    if (lenient
                        && !chunked
                        && (HttpChars.EqualsIgnoreCase(coding, "identity"u8) || HttpChars.EqualsIgnoreCase(coding, "none"u8)))
                        identity = true;
                    else if (chunked || !HttpChars.EqualsIgnoreCase(coding, "chunked"u8))
                        codingProblem = "a Transfer-Encoding other than chunked";
                    else
                        chunked = true;
                }
            }
        }

        if (head.HasUnclearFraming)
            lengthProblem = codingProblem = "a control character in Content-Length or Transfer-Encoding";
        if (codingProblem is null && chunked && length >= 0)
            codingProblem = "both Content-Length and Transfer-Encoding";
        if (codingProblem is null && chunked && minorVersion == 0)
            codingProblem = "a Transfer-Encoding in HTTP/1.0";
        if (codingProblem is null && transferEncoding && !lenient)
            codingProblem = StrictProblem(chunked, length, minorVersion);
        bool isRepaired = emptyLength || (transferEncoding && (identity || !chunked));
        return new HttpFraming(chunked, lengthProblem is null ? length : -1, lengthProblem ?? codingProblem, isRepaired);
    }

    /// <summary>A Transfer-Encoding without any coding is no less a second answer.</summary>
    private static string? StrictProblem(bool chunked, long length, int minorVersion) => (chunked, length, minorVersion) switch
    {
        (true, _, _) => null,
        (_, >= 0, _) => "both Content-Length and Transfer-Encoding",
        (_, _, 0) => "a Transfer-Encoding in HTTP/1.0",
        _ => "a Transfer-Encoding without a coding",
    };

    /// <summary>"5", and also "5, 5", which comes of merged duplicates (RFC 9110, section 8.6); -1 when all members are empty.</summary>
    private static bool TryParseLengths(ReadOnlySpan<byte> value, bool lenient, ref bool hasEmpty, out long length)
    {
        length = -1;
        while (true)
        {
            int comma = value.IndexOf((byte)',');
            var digits = HttpChars.TrimOws(comma < 0 ? value : value[..comma]);
            if (digits.IsEmpty && lenient)
                hasEmpty = true;
            else if (!TryParseLength(digits, out long found) || (length >= 0 && found != length))
                return false;
            else
                length = found;
            if (comma < 0)
                return true;
            value = value[(comma + 1)..];
        }
    }

    private static bool TryParseLength(ReadOnlySpan<byte> digits, out long length)
    {
        length = -1;
        return !digits.IsEmpty && !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out length);
    }
}
