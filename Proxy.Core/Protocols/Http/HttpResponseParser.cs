using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>Parses response heads. Pure. Lenient where RFC 9112 tells a proxy how to repair, strict where a body's end is at stake.</summary>
internal static class HttpResponseParser
{
    /// <param name="buffer">All bytes since the last message; on completion, what is behind the head.</param>
    /// <param name="scanner">Made by <see cref="HttpHeadScanner.ForResponse"/> for each head and kept while it is incomplete.</param>
    /// <param name="toHeadRequest">The request was HEAD: there is no body, whatever the fields say.</param>
    /// <param name="head">Filled on completion.</param>
    /// <param name="problem">What is wrong with it when it is refused.</param>
    public static HttpParseStatus TryParse(
        ref ReadOnlySequence<byte> buffer, ref HttpHeadScanner scanner, bool toHeadRequest, HttpResponseHead head, out string? problem)
    {
        problem = null;
        var scan = scanner.Scan(buffer, out int length);
        if (scan == HttpScanStatus.Incomplete)
            return LooksWrong(buffer, ref problem) ? HttpParseStatus.Rejected : HttpParseStatus.Incomplete;
        problem = scan == HttpScanStatus.Complete ? head.Parse(buffer.Slice(0, length), toHeadRequest) : "a response head that is too large";
        if (problem is not null)
            return HttpParseStatus.Rejected;
        buffer = buffer.Slice(length);
        return HttpParseStatus.Complete;
    }

    /// <summary>Something that greets first and then waits (SSH, SMTP) would otherwise be waited for until the client gives up.</summary>
    private static bool LooksWrong(in ReadOnlySequence<byte> buffer, ref string? problem)
    {
        var expected = "HTTP/1."u8;
        Span<byte> start = stackalloc byte[expected.Length];
        int length = (int)Math.Min(buffer.Length, expected.Length);
        buffer.Slice(0, length).CopyTo(start);
        if (expected.StartsWith(start[..length]))
            return false;
        problem = "no HTTP/1 status line";
        return true;
    }
}
