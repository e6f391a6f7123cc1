namespace TorBalancer.Protocols.Http;

/// <summary>What a step through chunked bytes found.</summary>
internal enum HttpChunkStatus : byte
{
    /// <summary>All input was framing and is used up.</summary>
    NeedMore,

    /// <summary>A run of body bytes.</summary>
    Data,

    /// <summary>The last chunk's line is over; the trailer section follows, if only its empty line.</summary>
    LastChunk,

    /// <summary>Not chunked coding.</summary>
    Malformed,

    /// <summary>More of what is not body than <see cref="HttpLimits"/> allows.</summary>
    TooLarge,
}

/// <summary>
/// Decodes the chunked coding (RFC 9112, section 7.1), byte by byte where it is framing:
/// <code>
/// 1A ;ext=x CRLF     size in hex; extensions are dropped
/// 26 bytes CRLF
/// 0 CRLF             last chunk
/// </code>
/// A bare CR is an error everywhere, and in requests a bare LF: recipients differ on them, and requests were smuggled that way.
/// </summary>
/// <param name="lenient">
/// For responses: spaces behind the size and any number of zeros in front of it are taken, as some servers pad it, and LF
/// alone behind the size and behind the data. Within an extension it stays an error: it would end the line for some only.
/// </param>
internal struct HttpChunkDecoder(bool lenient)
{
    private enum State : byte
    {
        Size,
        AfterSize,
        Extension,
        SizeLineFeed,
        Data,
        DataReturn,
        DataLineFeed,
    }

    private State _state;
    private long _size;
    private int _digits;
    private int _lineBytes;
    private int _extensionBytes;
    private bool _tooLarge;

    /// <summary>A line ended in LF alone: the sender is not trusted with another message.</summary>
    public bool IsRepaired { get; private set; }

    /// <summary>
    /// Takes framing and at most one run of data from the front of <paramref name="input"/>. Call it again with the rest
    /// until it says something else than <see cref="HttpChunkStatus.Data"/>.
    /// </summary>
    public HttpChunkStatus Step(ReadOnlySpan<byte> input, out int consumed, out int dataStart, out int dataLength)
    {
        dataStart = 0;
        dataLength = 0;
        for (consumed = 0; consumed < input.Length;)
        {
            if (_state == State.Data)
            {
                dataStart = consumed;
                dataLength = (int)Math.Min(_size, input.Length - consumed);
                consumed += dataLength;
                _size -= dataLength;
                if (_size == 0)
                    _state = State.DataReturn;
                return HttpChunkStatus.Data;
            }

            if (TakePlainFraming(input, ref consumed))
                continue;
            if (!Frame(input[consumed++], out bool last))
                return _tooLarge ? HttpChunkStatus.TooLarge : HttpChunkStatus.Malformed;
            if (last)
                return HttpChunkStatus.LastChunk;
        }

        return HttpChunkStatus.NeedMore;
    }

    /// <summary>
    /// The usual forms at once, whole: CR LF behind data, and a size of up to eight digits with its CR LF that is not the
    /// last chunk's. They mean the same as byte by byte, which is for all others and for those that were cut in two.
    /// </summary>
    private bool TakePlainFraming(ReadOnlySpan<byte> input, ref int consumed)
    {
        int at = consumed;
        long size = 0;
        if (_state == State.Size && _lineBytes == 0)
        {
            for (; at < input.Length && at - consumed < 8 && char.IsAsciiHexDigit((char)input[at]); at++)
                size = (size << 4) + HexValue(input[at]);
            if (size == 0)
                return false;
        }
        else if (_state != State.DataReturn)
        {
            return false;
        }

        if (at + 1 >= input.Length || input[at] != '\r' || input[at + 1] != '\n')
            return false;
        consumed = at + 2;
        _size = size;
        _state = _state == State.Size ? State.Data : State.Size;
        return true;
    }

    private bool Frame(byte c, out bool last)
    {
        last = false;
        if (_state is not (State.DataReturn or State.DataLineFeed) && ++_lineBytes > HttpLimits.ChunkLineBytes)
            return TooLarge();
        switch (_state)
        {
            case State.Size:
                if (char.IsAsciiHexDigit((char)c))
                {
                    // 15 digits: no sum of it and a position can overflow
                    if (!lenient || _size > 0 || _digits == 0 || c != '0')
                        _digits++;
                    if (_digits > 15)
                        return false;
                    _size = (_size << 4) + HexValue(c);
                    return true;
                }

                return _digits > 0 && EndOfSize(c, out last);
            case State.AfterSize:
                return (c != '\r' || lenient) && EndOfSize(c, out last);
            case State.Extension:
                if (c == '\r')
                    return Go(State.SizeLineFeed);
                if (c is not ((byte)'\t' or (>= 0x20 and not 0x7f)))
                    return false;
                return ++_extensionBytes <= HttpLimits.ChunkExtensionBytes || TooLarge();
            case State.SizeLineFeed:
                return c == '\n' && EndLine(out last);
            case State.DataReturn when c == '\n' && lenient:
                IsRepaired = true;
                return Go(State.Size);
            case State.DataReturn:
                return c == '\r' && Go(State.DataLineFeed);
            default:
                return c == '\n' && Go(State.Size);
        }
    }

    private bool EndOfSize(byte c, out bool last)
    {
        last = false;
        switch (c)
        {
            case (byte)'\n' when lenient:
                IsRepaired = true;
                return EndLine(out last);
            case (byte)'\r':
                return Go(State.SizeLineFeed);
            case (byte)';':
                return Go(State.Extension);
            case (byte)' ' or (byte)'\t':
                return Go(State.AfterSize);
            default:
                return false;
        }
    }

    private bool EndLine(out bool last)
    {
        last = _size == 0;
        _digits = 0;
        _lineBytes = 0;
        return Go(State.Data);
    }

    private bool TooLarge()
    {
        _tooLarge = true;
        return false;
    }

    private bool Go(State next)
    {
        _state = next;
        return true;
    }

    private static int HexValue(byte c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}
