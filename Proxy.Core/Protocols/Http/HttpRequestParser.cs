using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>What came of trying to parse.</summary>
internal enum HttpParseStatus : byte
{
    /// <summary>More bytes are needed; nothing was taken.</summary>
    Incomplete,

    /// <summary>A head was parsed and its bytes taken from the buffer.</summary>
    Complete,

    /// <summary>It is refused. Where the next message would start cannot be known: the connection must end.</summary>
    Rejected,
}

/// <summary>
/// Parses request heads. Pure: bytes in, a head or a refusal out. Strict, because what we forward must mean the same to
/// the origin as it did to us:
/// <code>
/// GET http://example.com/p?q HTTP/1.1 CRLF        request line: absolute-form, or authority-form with CONNECT
/// Host: example.com CRLF                          field lines: token ":" OWS value OWS
/// CRLF                                            empty line; the body or the next request follows
/// </code>
/// </summary>
internal static class HttpRequestParser
{
    /// <param name="buffer">All bytes since the last message; on completion, what is behind the head.</param>
    /// <param name="scanner">Made by <see cref="HttpHeadScanner.ForRequest"/> for each head and kept while it is incomplete.</param>
    /// <param name="head">Filled on completion.</param>
    /// <param name="reject">Why it is refused.</param>
    public static HttpParseStatus TryParse(
        ref ReadOnlySequence<byte> buffer, ref HttpHeadScanner scanner, HttpRequestHead head, out HttpReject reject)
    {
        reject = default;
        var scan = scanner.Scan(buffer, out int length);
        if (scan == HttpScanStatus.Incomplete)
            return HttpParseStatus.Incomplete;
        if (scan != HttpScanStatus.Complete)
        {
            reject = HttpReject.ForScan(scan);
            return HttpParseStatus.Rejected;
        }

        if (!head.Parse(buffer.Slice(scanner.Start, length - scanner.Start), out reject))
            return HttpParseStatus.Rejected;
        buffer = buffer.Slice(length);
        return HttpParseStatus.Complete;
    }
}
