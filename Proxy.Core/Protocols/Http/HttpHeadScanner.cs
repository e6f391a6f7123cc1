using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>What a scan for the end of a head found.</summary>
internal enum HttpScanStatus : byte
{
    /// <summary>The empty line has not come yet.</summary>
    Incomplete,

    Complete,

    /// <summary>A line feed without its carriage return.</summary>
    BareLineFeed,

    /// <summary>The first line is longer than allowed.</summary>
    FirstLineTooLong,

    /// <summary>All of it is longer than allowed.</summary>
    TooLarge,

    /// <summary>More lines than allowed.</summary>
    TooManyLines,
}

/// <summary>
/// Finds the empty line that ends a head or a trailer section, resuming where it stopped: a peer that sends single
/// bytes costs no more than one that sends all at once.
/// </summary>
internal struct HttpHeadScanner
{
    private readonly int _maxFirstLine;
    private readonly int _maxBytes;
    private readonly int _maxLines;
    private readonly bool _lenient;
    private readonly bool _skipEmptyLine;
    private long _scanned;
    private long _lineStart;
    private int _lines;

    private HttpHeadScanner(int maxFirstLine, int maxBytes, int maxLines, bool lenient, bool skipEmptyLine)
    {
        _maxFirstLine = maxFirstLine;
        _maxBytes = maxBytes;
        _maxLines = maxLines;
        _lenient = lenient;
        _skipEmptyLine = skipEmptyLine;
    }

    /// <summary>Where the first line starts: 2 when the client put an empty line in front (RFC 9112, section 2.2), else 0.</summary>
    public int Start { get; private set; }

    public static HttpHeadScanner ForRequest() =>
        new(HttpLimits.RequestLineBytes, HttpLimits.HeadBytes, HttpLimits.Fields + 1, lenient: false, skipEmptyLine: true);

    /// <summary>Responses may end lines with LF alone (RFC 9112, section 2.2): they are written anew before the client sees them.</summary>
    public static HttpHeadScanner ForResponse() =>
        new(HttpLimits.HeadBytes, HttpLimits.HeadBytes, HttpLimits.Fields + 1, lenient: true, skipEmptyLine: false);

    /// <param name="lenient">Those of responses: lines may end with LF alone, and be as many as their bytes allow.</param>
    public static HttpHeadScanner ForTrailers(bool lenient) =>
        new(
            HttpLimits.TrailerBytes, HttpLimits.TrailerBytes, lenient ? HttpLimits.TrailerBytes : HttpLimits.TrailerFields, lenient,
            skipEmptyLine: false);

    /// <summary>Goes on with the same bytes and those that came since. <paramref name="length"/> includes the empty line.</summary>
    public HttpScanStatus Scan(in ReadOnlySequence<byte> buffer, out int length)
    {
        length = 0;
        var reader = new SequenceReader<byte>(buffer);
        reader.Advance(_scanned);
        while (reader.TryAdvanceTo((byte)'\n', advancePastDelimiter: true))
        {
            long end = reader.Consumed;
            if (end > _maxBytes)
                return HttpScanStatus.TooLarge;
            long content = end - 1 - _lineStart;
            bool carriageReturn = content > 0 && ByteAt(buffer, end - 2) == (byte)'\r';
            if (!carriageReturn && !_lenient)
                return HttpScanStatus.BareLineFeed;
            if (carriageReturn)
                content--;

            _scanned = end;
            if (content == 0)
            {
                if (_lines > 0 || !_skipEmptyLine || Start > 0)
                {
                    length = (int)end;
                    return HttpScanStatus.Complete;
                }

                Start = (int)end;
                _lineStart = end;
                continue;
            }

            if (_lines == 0 && end - _lineStart > _maxFirstLine)
                return HttpScanStatus.FirstLineTooLong;
            if (++_lines > _maxLines)
                return HttpScanStatus.TooManyLines;
            _lineStart = end;
        }

        _scanned = buffer.Length;
        if (_lines == 0 && _scanned - _lineStart > _maxFirstLine)
            return HttpScanStatus.FirstLineTooLong;
        return _scanned > _maxBytes ? HttpScanStatus.TooLarge : HttpScanStatus.Incomplete;
    }

    private static byte ByteAt(in ReadOnlySequence<byte> buffer, long index) => buffer.Slice(index, 1).FirstSpan[0];
}
