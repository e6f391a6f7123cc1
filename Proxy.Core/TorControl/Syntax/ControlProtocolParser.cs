using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace TorBalancer.TorControl.Syntax;

/// <summary>
/// Cuts tor's side of a control connection into replies (control-spec, "Message format"). Pure: no input or output; it
/// keeps the lines of an unfinished reply between calls, so that a long reply is read once however it arrives.
/// </summary>
/// <remarks>
/// <code>
/// Reply    = *(MidLine / DataLine) EndLine     one reply may mix all three
/// MidLine  = 3DIGIT "-" text CRLF
/// DataLine = 3DIGIT "+" text CRLF
///            *( line CRLF )                    a leading "." is doubled on the wire
///            "." CRLF
/// EndLine  = 3DIGIT SP text CRLF
/// </code>
/// Events (6xx) come in the same shapes, between replies and never inside one. A bare LF also ends a line.
/// </remarks>
internal sealed class ControlProtocolParser(int maxReplyBytes = ControlProtocolParser.DefaultMaxReplyBytes)
{
    /// <summary>16 MiB: several times the largest document that a client tor can hand out.</summary>
    public const int DefaultMaxReplyBytes = 16 * 1024 * 1024;

    private const byte Lf = (byte)'\n';
    private const byte Dot = (byte)'.';

    private const int KeptDataBytes = 64 * 1024;

    private ArrayBufferWriter<byte> _data = new();
    private List<ControlReplyLine> _lines = [];
    private string? _dataText;
    private int _code = -1;
    private long _size;
    private long _scanned;

    /// <summary>
    /// Takes the next whole reply off the front of <paramref name="buffer"/>. False: more bytes are needed; what was
    /// taken off must not be passed again, what was left must be. Throws <see cref="ControlProtocolException"/> on
    /// anything else than the protocol, after which the parser must not be used.
    /// </summary>
    public bool TryRead(ref ReadOnlySequence<byte> buffer, [NotNullWhen(true)] out ControlReply? reply)
    {
        while (TryReadLine(ref buffer, out var line))
        {
            if (_dataText is not null)
            {
                AddDataLine(line);
                continue;
            }

            if (!AddStatusLine(line))
                continue;
            reply = new ControlReply(_code, _lines);
            _lines = [];
            _code = -1;
            _size = 0;
            return true;
        }

        reply = null;
        return false;
    }

    private bool TryReadLine(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> line)
    {
        // What an earlier call searched in vain is not searched again: a long line stays linear.
        var found = buffer.Slice(_scanned).PositionOf(Lf);
        if (found is not { } end)
        {
            line = default;
            _scanned = buffer.Length;
            if (_size + _scanned > maxReplyBytes)
                throw TooLong();
            return false;
        }

        line = buffer.Slice(0, end);
        _size += line.Length + 1;
        if (_size > maxReplyBytes)
            throw TooLong();
        buffer = buffer.Slice(buffer.GetPosition(1, end));
        _scanned = 0;
        if (line.Length > 0 && line.Slice(line.Length - 1).FirstSpan[0] == (byte)'\r')
            line = line.Slice(0, line.Length - 1);
        return true;
    }

    private void AddDataLine(ReadOnlySequence<byte> line)
    {
        if (line.Length > 0 && line.FirstSpan[0] == Dot)
        {
            if (line.Length == 1)
            {
                _lines.Add(new ControlReplyLine(_dataText!, Encoding.Latin1.GetString(_data.WrittenSpan)));
                if (_data.Capacity > KeptDataBytes)
                    _data = new ArrayBufferWriter<byte>();
                else
                    _data.ResetWrittenCount();
                _dataText = null;
                return;
            }

            line = line.Slice(1);
        }

        foreach (var segment in line)
            _data.Write(segment.Span);
        _data.Write([Lf]);
    }

    /// <returns>True when the line ends the reply.</returns>
    private bool AddStatusLine(ReadOnlySequence<byte> line)
    {
        Span<byte> head = stackalloc byte[4];
        head = head[..(int)Math.Min(line.Length, 4)];
        line.Slice(0, head.Length).CopyTo(head);
        if (head.Length < 3 || !char.IsAsciiDigit((char)head[0]) || !char.IsAsciiDigit((char)head[1]) || !char.IsAsciiDigit((char)head[2]))
            throw new ControlProtocolException("a line of a control reply does not begin with a status code");
        int code = ((head[0] - '0') * 100) + ((head[1] - '0') * 10) + (head[2] - '0');
        byte separator = head.Length == 4 ? head[3] : (byte)' ';

        // An event inside a reply, or the reverse, means that we lost the thread.
        if (_code >= 0 && (_code / 100 == 6) != (code / 100 == 6))
            throw new ControlProtocolException("events and replies are mixed within one control reply");
        _code = code;

        string text = Encoding.Latin1.GetString(line.Slice(head.Length));
        switch (separator)
        {
            case (byte)' ':
                _lines.Add(new ControlReplyLine(text));
                return true;
            case (byte)'-':
                _lines.Add(new ControlReplyLine(text));
                return false;
            case (byte)'+':
                _dataText = text;
                return false;
            default:
                throw new ControlProtocolException("a status code in a control reply is followed by neither space, - nor +");
        }
    }

    private ControlProtocolException TooLong() => new($"a control reply is longer than {maxReplyBytes} bytes");
}
