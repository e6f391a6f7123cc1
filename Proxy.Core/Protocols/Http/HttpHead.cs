using System.Buffers;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// The bytes of a head, copied once out of the connection, and where its field lines lie in them. One object serves
/// all messages of a connection; its buffer is rented and given back between them.
/// </summary>
internal abstract class HttpHead : IDisposable
{
    private const string ControlInValue = "a control character in a field value";

    private byte[] _bytes = [];
    private HttpField[] _fields = [];
    private (int Start, int Length)[] _connectionOptions = [];
    private int _connectionOptionCount;

    /// <summary>
    /// Something was left out or read in one of several ways that recipients have: its sender may think of another end
    /// than ours, so no further message is read behind this one.
    /// </summary>
    public bool IsRepaired { get; protected set; }

    /// <summary>A control character stood in Content-Length or Transfer-Encoding: some recipients skip it and some do not.</summary>
    public bool HasUnclearFraming { get; private set; }

    protected int Length { get; private set; }

    /// <summary>The field lines in the order in which they came.</summary>
    public ReadOnlySpan<HttpField> Fields => _fields.AsSpan(0, FieldCount);

    public int FieldCount { get; private set; }

    /// <summary>How the body is delimited.</summary>
    public HttpBodyKind Body { get; protected set; }

    /// <summary>
    /// Bytes of the body when <see cref="Body"/> is <see cref="HttpBodyKind.Length"/>; else what Content-Length said, or -1.
    /// </summary>
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
        IsRepaired = false;
        HasUnclearFraming = false;
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

    /// <summary>
    /// The next line from <paramref name="at"/>, without its line end; moves behind it. The scanner has seen all line ends.
    /// </summary>
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
    /// Parses field lines up to the empty line. <paramref name="lenient"/> is for responses, where only what endangers
    /// framing or could split a message is refused: NUL, a CR within a line, controls in names. The rest is repaired as RFC
    /// 9112 asks of a proxy (folded lines joined, 5.2; space before the colon removed, 5.1; indented first lines skipped,
    /// 2.2; stray controls made spaces), and lines that are no field at all are left out.
    /// </summary>
    /// <returns>Null, or what is wrong.</returns>
    protected string? ParseFields(int at, bool lenient)
    {
        bool foldable = false;
        while (at < Length)
        {
            var (start, length) = TakeLine(ref at);
            if (length == 0)
                break;
            if (lenient)
                TrimReturns(start, ref length);
            if (_bytes[start] is (byte)' ' or (byte)'\t')
            {
                if (!lenient)
                    return "a folded or indented field line";
                if (!CleanValue(start, length, lenient, out bool cleaned))
                    return ControlInValue;
                if (foldable)
                    Unfold(start, length, cleaned);
                else
                    IsRepaired = true;
                continue;
            }

            int colon = _bytes.AsSpan(start, length).IndexOf((byte)':');
            string? problem = CheckName(start, colon, lenient, out int nameLength);
            if (problem is not null && !lenient)
                return problem;
            foldable = problem is null;
            if (!foldable)
            {
                if (_bytes.AsSpan(start, colon < 0 ? length : colon).ContainsAny(HttpChars.FieldValueForbidden))
                    return "a control character in a field name";
                IsRepaired = true;
            }

            int valueStart = start + colon + 1;
            int valueLength = length - colon - 1;
            if (!CleanValue(valueStart, valueLength, lenient, out bool changed))
                return ControlInValue;
            if (foldable)
                Add(start, nameLength, valueStart, valueLength, changed);
        }

        return null;
    }

    /// <summary>
    /// Collects what the Connection fields list; they may come anywhere in the head. Of responses, members that are no
    /// names say nothing (RFC 9110, section 7.6.1): "keep-alive; timeout=5" is common.
    /// </summary>
    /// <returns>Null, or what is wrong.</returns>
    protected string? CollectConnectionOptions(bool lenient)
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
                bool isName = HttpChars.IsToken(member);
                if (!isName && !lenient)
                    return "a Connection field that lists something else than names";
                if (_connectionOptionCount == HttpLimits.ConnectionOptions)
                {
                    IsRepaired = true;
                    return lenient ? null : "a Connection field that lists too many names";
                }

                if (!isName)
                    continue;
                if (_connectionOptionCount == _connectionOptions.Length)
                    Array.Resize(ref _connectionOptions, Math.Max(4, _connectionOptionCount * 2));
                value.Overlaps(member, out int offset);
                _connectionOptions[_connectionOptionCount++] = (field.ValueStart + offset, member.Length);
            }
        }

        return null;
    }

    /// <summary>Replaces stray controls by spaces. False when one is met that may not be.</summary>
    protected bool CleanValue(int start, int length, bool lenient, out bool changed)
    {
        changed = false;
        var value = _bytes.AsSpan(start, length);
        int at;
        while ((at = value.IndexOfAny(HttpChars.FieldValueForbidden)) >= 0)
        {
            if (!lenient || value[at] is 0 or (byte)'\r' or (byte)'\n')
                return false;
            value[at] = (byte)' ';
            changed = true;
        }

        return true;
    }

    /// <summary>Takes away further CRs in front of a line's end, as servers send that add CR LF to what has it already.</summary>
    protected void TrimReturns(int start, ref int length)
    {
        while (length > 1 && _bytes[start + length - 1] == (byte)'\r')
        {
            length--;
            IsRepaired = true;
        }
    }

    private string? CheckName(int start, int colon, bool lenient, out int nameLength)
    {
        nameLength = 0;
        if (colon <= 0)
            return "a field line without a name or a colon";
        nameLength = lenient ? _bytes.AsSpan(start, colon).TrimEnd(" \t"u8).Length : colon;
        if (!HttpChars.IsToken(_bytes.AsSpan(start, nameLength)))
            return "a field name with a space or another forbidden character";
        IsRepaired |= nameLength != colon;
        return null;
    }

    private void Add(int nameStart, int nameLength, int valueStart, int valueLength, bool cleaned)
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
        HasUnclearFraming |= cleaned && IsFraming(id);
        _fields[FieldCount++] = Trimmed(id, nameStart, nameLength, valueStart, valueLength);
    }

    private HttpField Trimmed(HttpFieldId id, int nameStart, int nameLength, int valueStart, int valueLength)
    {
        var raw = _bytes.AsSpan(valueStart, valueLength);
        int leading = valueLength - raw.TrimStart(" \t"u8).Length;
        int length = HttpChars.TrimOws(raw).Length;
        return new HttpField(id, nameStart, nameLength, valueStart + leading, length);
    }

    private void Unfold(int start, int length, bool cleaned)
    {
        ref var last = ref _fields[FieldCount - 1];
        HasUnclearFraming |= cleaned && IsFraming(last.Id);
        int valueEnd = last.ValueStart + last.ValueLength;
        _bytes.AsSpan(valueEnd, start - valueEnd).Fill((byte)' ');
        last = Trimmed(last.Id, last.NameStart, last.NameLength, last.ValueStart, start + length - last.ValueStart);
    }

    private static bool IsFraming(HttpFieldId id) => id is HttpFieldId.ContentLength or HttpFieldId.TransferEncoding;
}
