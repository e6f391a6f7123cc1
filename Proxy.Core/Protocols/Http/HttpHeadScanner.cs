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
        HttpScanStatus status;
        if (buffer.IsSingleSegment)
        {
            // Nearly always: a head fits in one read.
            var bytes = buffer.FirstSpan;
            for (int at = (int)_scanned, feed; (feed = bytes[at..].IndexOf((byte)'\n')) >= 0;)
            {
                at += feed + 1;
                if (EndsAt(at, at > 1 ? bytes[at - 2] : (byte)0, ref length, out status))
                    return status;
            }
        }
        else
        {
            var reader = new SequenceReader<byte>(buffer);
            reader.Advance(_scanned);
            while (reader.TryAdvanceTo((byte)'\n', advancePastDelimiter: true))
            {
                if (EndsAt(reader.Consumed, reader.Consumed > 1 ? ByteAt(buffer, reader.Consumed - 2) : (byte)0, ref length, out status))
                    return status;
            }
        }

        _scanned = buffer.Length;
        if (_lines == 0 && _scanned - _lineStart > _maxFirstLine)
            return HttpScanStatus.FirstLineTooLong;
        return _scanned > _maxBytes ? HttpScanStatus.TooLarge : HttpScanStatus.Incomplete;
    }

    /// <summary>Takes in a line. True when the scan ends with it.</summary>
    /// <param name="end">Behind its line feed.</param>
    /// <param name="before">The byte in front of that.</param>
    private bool EndsAt(long end, byte before, ref int length, out HttpScanStatus status)
    {
        status = HttpScanStatus.TooLarge;
        if (end > _maxBytes)
            return true;
        long content = end - 1 - _lineStart;
        bool carriageReturn = content > 0 && before == (byte)'\r';
        status = HttpScanStatus.BareLineFeed;
        if (!carriageReturn && !_lenient)
            return true;
        if (carriageReturn)
            content--;

        _scanned = end;
        if (content == 0)
        {
            status = HttpScanStatus.Complete;
            if (_lines > 0 || !_skipEmptyLine || Start > 0)
            {
                length = (int)end;
                return true;
            }

            Start = (int)end;
            _lineStart = end;
            return false;
        }

        status = HttpScanStatus.FirstLineTooLong;
        if (_lines == 0 && end - _lineStart > _maxFirstLine)
            return true;
        status = HttpScanStatus.TooManyLines;
        if (++_lines > _maxLines)
            return true;
        _lineStart = end;
        return false;
    }

    private static byte ByteAt(in ReadOnlySequence<byte> buffer, long index) => buffer.Slice(index, 1).FirstSpan[0];
}
