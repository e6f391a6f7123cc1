using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// The bytes of a head, copied once out of the connection, and where its field lines lie in them. One object serves
/// all messages of a connection; its buffer is rented and given back between them.
/// </summary>
internal abstract class HttpHead : IDisposable
{
    private byte[] _bytes = [];
    private HttpField[] _fields = [];
    private readonly (int Start, int Length)[] _connectionOptions = new (int, int)[HttpLimits.ConnectionOptions];
    private int _connectionOptionCount;

    protected int Length { get; private set; }

    /// <summary>The field lines in the order in which they came.</summary>
    public ReadOnlySpan<HttpField> Fields => _fields.AsSpan(0, FieldCount);

    public int FieldCount { get; private set; }

    /// <summary>How the body is delimited.</summary>
    public HttpBodyKind Body { get; protected set; }

    /// <summary>Bytes of the body when <see cref="Body"/> is <see cref="HttpBodyKind.Length"/>; else what Content-Length said, or -1.</summary>
    public long ContentLength { get; protected set; }

    public ReadOnlySpan<byte> Name(in HttpField field) => _bytes.AsSpan(field.NameStart, field.NameLength);

    public ReadOnlySpan<byte> Value(in HttpField field) => _bytes.AsSpan(field.ValueStart, field.ValueLength);

    /// <summary>True when a Connection field lists this name.</summary>
    public bool IsConnectionOption(ReadOnlySpan<byte> name)
    {
        for (int i = 0; i < _connectionOptionCount; i++)
        {
            var (start, length) = _connectionOptions[i];
            if (length == name.Length && HttpChars.EqualsIgnoreCase(_bytes.AsSpan(start, length), name))
                return true;
        }

        return false;
    }

    /// <summary>Gives the buffer back, cleared: it held credentials and cookies.</summary>
    public void Release()
    {
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes, clearArray: true);
        if (_fields.Length > 0)
            ArrayPool<HttpField>.Shared.Return(_fields);
        _bytes = [];
        _fields = [];
        Length = 0;
        FieldCount = 0;
        _connectionOptionCount = 0;
    }

    public void Dispose() => Release();

    protected void Load(in ReadOnlySequence<byte> head)
    {
        Release();
        Length = (int)head.Length;
        _bytes = ArrayPool<byte>.Shared.Rent(Length);
        head.CopyTo(_bytes);
    }

    protected ReadOnlySpan<byte> Span(int start, int length) => _bytes.AsSpan(start, length);

    /// <summary>The next line from <paramref name="at"/>, without its line end; moves behind it. The scanner has seen all line ends.</summary>
    protected (int Start, int Length) TakeLine(ref int at)
    {
        int start = at;
        int feed = _bytes.AsSpan(at, Length - at).IndexOf((byte)'\n');
        int length = feed < 0 ? Length - at : feed;
        at += feed < 0 ? length : length + 1;
        if (length > 0 && _bytes[start + length - 1] == (byte)'\r')
            length--;
        return (start, length);
    }

    /// <summary>
    /// Parses field lines up to the empty line. <paramref name="lenient"/> does for responses what RFC 9112 asks of a
    /// proxy: folded lines are joined (section 5.2), a space before the colon is removed (5.1), stray controls become spaces.
    /// </summary>
    /// <returns>Null, or what is wrong.</returns>
    protected string? ParseFields(int at, int maxFields, bool lenient)
    {
        while (at < Length)
        {
            var (start, length) = TakeLine(ref at);
            if (length == 0)
                break;
            if (_bytes[start] is (byte)' ' or (byte)'\t')
            {
                if (!lenient || FieldCount == 0)
                    return "a folded or indented field line";
                if (!TryUnfold(start, length))
                    return "a control character in a field value";
                continue;
            }

            int colon = _bytes.AsSpan(start, length).IndexOf((byte)':');
            if (colon <= 0)
                return "a field line without a name or a colon";
            int nameLength = lenient ? _bytes.AsSpan(start, colon).TrimEnd(" \t"u8).Length : colon;
            if (!HttpChars.IsToken(_bytes.AsSpan(start, nameLength)))
                return "a field name with a space or another forbidden character";
            if (FieldCount == maxFields)
                return "too many field lines";
            int valueStart = start + colon + 1;
            int valueLength = length - colon - 1;
            if (!CleanValue(valueStart, valueLength, lenient))
                return "a control character in a field value";
            Add(start, nameLength, valueStart, valueLength);
        }

        return null;
    }

    /// <summary>Collects what the Connection fields list; they may come anywhere in the head.</summary>
    protected string? CollectConnectionOptions()
    {
        _connectionOptionCount = 0;
        foreach (ref readonly var field in Fields)
        {
            if (field.Id is not (HttpFieldId.Connection or HttpFieldId.ProxyConnection))
                continue;
            var value = Value(field);
            var list = value;
            while (HttpChars.TryTakeListMember(ref list, out var member))
            {
                if (!HttpChars.IsToken(member))
                    return "a Connection field that lists something else than names";
                if (_connectionOptionCount == HttpLimits.ConnectionOptions)
                    return "a Connection field that lists too many names";
                value.Overlaps(member, out int offset);
                _connectionOptions[_connectionOptionCount++] = (field.ValueStart + offset, member.Length);
            }
        }

        return null;
    }

    private void Add(int nameStart, int nameLength, int valueStart, int valueLength)
    {
        if (FieldCount == _fields.Length)
        {
            var larger = ArrayPool<HttpField>.Shared.Rent(Math.Max(32, FieldCount * 2));
            Fields.CopyTo(larger);
            if (_fields.Length > 0)
                ArrayPool<HttpField>.Shared.Return(_fields);
            _fields = larger;
        }

        var id = HttpFieldNames.Identify(_bytes.AsSpan(nameStart, nameLength));
        _fields[FieldCount++] = Trimmed(id, nameStart, nameLength, valueStart, valueLength);
    }

    private HttpField Trimmed(HttpFieldId id, int nameStart, int nameLength, int valueStart, int valueLength)
    {
        var raw = _bytes.AsSpan(valueStart, valueLength);
        int leading = valueLength - raw.TrimStart(" \t"u8).Length;
        int length = HttpChars.TrimOws(raw).Length;
        return new HttpField(id, nameStart, nameLength, valueStart + leading, length);
    }

    private bool TryUnfold(int start, int length)
    {
        if (!CleanValue(start, length, lenient: true))
            return false;
        ref var last = ref _fields[FieldCount - 1];
        int valueEnd = last.ValueStart + last.ValueLength;
        _bytes.AsSpan(valueEnd, start - valueEnd).Fill((byte)' ');
        last = Trimmed(last.Id, last.NameStart, last.NameLength, last.ValueStart, start + length - last.ValueStart);
        return true;
    }

    private bool CleanValue(int start, int length, bool lenient)
    {
        var value = _bytes.AsSpan(start, length);
        int at;
        while ((at = value.IndexOfAny(HttpChars.FieldValueForbidden)) >= 0)
        {
            if (!lenient || value[at] is 0 or (byte)'\r' or (byte)'\n')
                return false;
            value[at] = (byte)' ';
        }

        return true;
    }
}
