using System.Buffers;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// Parses response heads. Pure. What a target sends is judged by what it endangers: what leaves a body's end uncertain or
/// could split a message is refused; the rest is taken as browsers take it and written anew before a client sees it.
/// </summary>
internal static class HttpResponseParser
{
    /// <param name="buffer">All bytes since the last message; on completion, what is behind the head.</param>
    /// <param name="scanner">Made by <see cref="HttpHeadScanner.ForResponse"/> for each head and kept while it is incomplete.</param>
    /// <param name="toHeadRequest">The request was HEAD: there is no body, whatever the fields say.</param>
    /// <param name="head">Filled on completion.</param>
    /// <param name="error">
    /// Why it is refused: <see cref="FailureCause.TargetProtocol"/>, or <see cref="FailureCause.TargetHeadTooLarge"/> when
    /// it is larger than <see cref="HttpLimits"/>.
    /// </param>
    public static HttpParseStatus TryParse(
        ref ReadOnlySequence<byte> buffer, ref HttpHeadScanner scanner, bool toHeadRequest, HttpResponseHead head, out ProxyError error)
    {
        error = ProxyError.None;
        if (!TrySkipSlop(buffer, out var rest))
            return HttpParseStatus.Incomplete;
        if (!LooksRight(rest))
        {
            error = new ProxyError(FailureCause.TargetProtocol, "no HTTP/1 status line");
            return HttpParseStatus.Rejected;
        }

        var scan = scanner.Scan(rest, out int length);
        if (scan == HttpScanStatus.Incomplete)
            return HttpParseStatus.Incomplete;
        if (scan != HttpScanStatus.Complete)
        {
            error = new ProxyError(FailureCause.TargetHeadTooLarge, TooLarge(scan));
            return HttpParseStatus.Rejected;
        }

        string? problem = head.Parse(rest.Slice(0, length), toHeadRequest);
        if (problem is not null)
        {
            error = new ProxyError(FailureCause.TargetProtocol, problem);
            return HttpParseStatus.Rejected;
        }

        buffer = rest.Slice(length);
        return HttpParseStatus.Complete;
    }

    /// <summary>
    /// What is behind white space and line ends; a server that ends a body with one CR LF too many sends them in front of
    /// its next answer. False while nothing else has come. The same for every call with more of the same bytes.
    /// </summary>
    private static bool TrySkipSlop(in ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> rest)
    {
        Span<byte> start = stackalloc byte[HttpLimits.StatusLineSlop];
        int length = (int)Math.Min(buffer.Length, start.Length);
        buffer.Slice(0, length).CopyTo(start);
        int slop = length - start[..length].TrimStart(" \t\r\n"u8).Length;
        rest = buffer.Slice(slop);
        return !rest.IsEmpty;
    }

    /// <summary>Something that greets first and then waits (SSH, SMTP) would otherwise be waited for until the client gives up.</summary>
    private static bool LooksRight(in ReadOnlySequence<byte> buffer)
    {
        Span<byte> start = stackalloc byte["HTTP/"u8.Length];
        int length = (int)Math.Min(buffer.Length, start.Length);
        buffer.Slice(0, length).CopyTo(start);
        start = start[..length];
        start.Replace((byte)'\t', (byte)' ');
        return BeginsAs(start, "HTTP/"u8) || BeginsAs(start, "HTTP "u8) || BeginsAs(start, "ICY "u8);
    }

    /// <summary>As far as it has come.</summary>
    private static bool BeginsAs(ReadOnlySpan<byte> start, ReadOnlySpan<byte> expected)
    {
        int length = Math.Min(start.Length, expected.Length);
        return HttpChars.EqualsIgnoreCase(start[..length], expected[..length]);
    }

    private static string TooLarge(HttpScanStatus status) => status == HttpScanStatus.TooManyLines
        ? $"a response head of more than {HttpLimits.Fields} field lines"
        : $"a response head of more than {HttpLimits.HeadBytes / 1024} KiB";
}
