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

    /// <summary>Not chunked coding, or too much of what is not body.</summary>
    Malformed,
}

/// <summary>
/// Decodes the chunked coding (RFC 9112, section 7.1), byte by byte where it is framing:
/// <code>
/// 1A ;ext=x CRLF     size in hex; extensions are dropped
/// 26 bytes CRLF
/// 0 CRLF             last chunk
/// </code>
/// A bare LF or CR is an error everywhere: recipients differ on them, and requests were smuggled that way.
/// </summary>
/// <param name="lenient">Spaces behind the size are taken: some servers pad it.</param>
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

            if (!Frame(input[consumed++], out bool last))
                return HttpChunkStatus.Malformed;
            if (last)
                return HttpChunkStatus.LastChunk;
        }

        return HttpChunkStatus.NeedMore;
    }

    private bool Frame(byte c, out bool last)
    {
        last = false;
        if (_state is not (State.DataReturn or State.DataLineFeed) && ++_lineBytes > HttpLimits.ChunkLineBytes)
            return false;
        switch (_state)
        {
            case State.Size:
                if (char.IsAsciiHexDigit((char)c))
                {
                    // 15 digits: no sum of it and a position can overflow
                    if (++_digits > 15)
                        return false;
                    _size = (_size << 4) + HexValue(c);
                    return true;
                }

                return _digits > 0 && EndOfSize(c);
            case State.AfterSize:
                return c switch
                {
                    (byte)' ' or (byte)'\t' => true,
                    (byte)'\r' when lenient => Go(State.SizeLineFeed),
                    (byte)';' => Go(State.Extension),
                    _ => false,
                };
            case State.Extension:
                if (c == '\r')
                    return Go(State.SizeLineFeed);
                return c is (byte)'\t' or >= 0x20 and not 0x7f && ++_extensionBytes <= HttpLimits.ChunkExtensionBytes;
            case State.SizeLineFeed:
                last = _size == 0;
                _digits = 0;
                _lineBytes = 0;
                return c == '\n' && Go(State.Data);
            case State.DataReturn:
                return c == '\r' && Go(State.DataLineFeed);
            default:
                return c == '\n' && Go(State.Size);
        }
    }

    private bool EndOfSize(byte c) => c switch
    {
        (byte)'\r' => Go(State.SizeLineFeed),
        (byte)';' => Go(State.Extension),
        (byte)' ' or (byte)'\t' => Go(State.AfterSize),
        _ => false,
    };

    private bool Go(State next)
    {
        _state = next;
        return true;
    }

    private static int HexValue(byte c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}
