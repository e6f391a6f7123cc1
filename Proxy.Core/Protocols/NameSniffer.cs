using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols;

/// <summary>What a client's first bytes say of the name that it wants.</summary>
internal enum SniffState : byte
{
    /// <summary>Too few of them to tell.</summary>
    More,

    /// <summary>They name none, or speak something else.</summary>
    Nothing,

    /// <summary>They name one.</summary>
    Found,
}

/// <summary>
/// Looks for a host's name in what a client says first: TLS (server_name, RFC 6066, section 3) and HTTP/1 (Host, RFC 9112, section 3.2).
/// Pure; consumes nothing. The name is the client's word and no more: with encrypted ClientHello it is the front's.
/// </summary>
internal static class NameSniffer
{
    /// <summary>Of these many bytes, or fewer, a name is looked for.</summary>
    public const int MostBytes = 16 * 1024;

    private const int RecordHeader = 5, HandshakeHeader = 4, LongestMethod = 20, LongestRecord = (16 * 1024) + 256;

    private const byte HandshakeRecord = 22, ClientHello = 1;

    /// <param name="bytes">All that has come so far, from the first one on.</param>
    /// <param name="name">With port 0; default unless it is <see cref="SniffState.Found"/>. Never an address.</param>
    public static SniffState Find(ReadOnlySpan<byte> bytes, out HostEndPoint name)
    {
        name = default;
        if (bytes.IsEmpty)
            return SniffState.More;
        var state = bytes[0] == HandshakeRecord ? OfTls(bytes, out name)
            : char.IsAsciiLetterUpper((char)bytes[0]) ? OfHttp(bytes, out name)
            : SniffState.Nothing;
        return state == SniffState.More && bytes.Length >= MostBytes ? SniffState.Nothing : state;
    }

    //  record:    22 | 3, minor | length 2 | fragment of the handshake message, which several records may carry
    //  handshake: 1 | length 3 | ClientHello
    private static SniffState OfTls(ReadOnlySpan<byte> bytes, out HostEndPoint name)
    {
        name = default;
        byte[] message = ArrayPool<byte>.Shared.Rent(bytes.Length);
        try
        {
            int held = 0;
            while (bytes.Length >= RecordHeader)
            {
                int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]);
                if (bytes[0] != HandshakeRecord || bytes[1] != 3 || length is 0 or > LongestRecord)
                    return SniffState.Nothing;
                var fragment = bytes.Slice(RecordHeader, Math.Min(length, bytes.Length - RecordHeader));
                fragment.CopyTo(message.AsSpan(held));
                held += fragment.Length;
                if (held > 0 && message[0] != ClientHello)
                    return SniffState.Nothing;
                int whole = held < HandshakeHeader ? int.MaxValue
                    : HandshakeHeader + (message[1] << 16) + BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(2));
                if (held >= whole)
                    return OfClientHello(message.AsSpan(HandshakeHeader, whole - HandshakeHeader), out name);
                if (fragment.Length < length)
                    return SniffState.More;
                bytes = bytes[(RecordHeader + length)..];
            }

            return bytes.IsEmpty || bytes[0] == HandshakeRecord ? SniffState.More : SniffState.Nothing;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    //  version 2 | random 32 | session id 1+n | cipher suites 2+n | compression methods 1+n | extensions 2+n (RFC 8446, section 4.1.2)
    //  extension: type 2 | length 2 | data       server_name (0): length of the list 2 | kind 1, 0 is host_name | length 2 | name
    private static SniffState OfClientHello(ReadOnlySpan<byte> hello, out HostEndPoint name)
    {
        name = default;
        if (!TrySkip(ref hello, 34) || !TryTake(ref hello, 1, out _) || !TryTake(ref hello, 2, out _) || !TryTake(ref hello, 1, out _)
            || !TryTake(ref hello, 2, out var extensions))
            return SniffState.Nothing;
        while (extensions.Length >= 4)
        {
            int type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!TryTake(ref extensions, 2, out var data))
                return SniffState.Nothing;
            if (type != 0)
                continue;
            return TryTake(ref data, 2, out var list) && list.Length > 0 && list[0] == 0 && TrySkip(ref list, 1)
                && TryTake(ref list, 2, out var host) && TryName(host, isAuthority: false, out name)
                ? SniffState.Found : SniffState.Nothing;
        }

        return SniffState.Nothing;
    }

    //  METHOD target HTTP/1.x CRLF *( field-name ":" value CRLF )
    private static SniffState OfHttp(ReadOnlySpan<byte> bytes, out HostEndPoint name)
    {
        name = default;
        int method = bytes.IndexOfAnyExceptInRange((byte)'A', (byte)'Z');
        if (method < 0)
            return bytes.Length > LongestMethod ? SniffState.Nothing : SniffState.More;
        if (bytes[method] != ' ' || method > LongestMethod)
            return SniffState.Nothing;
        for (bool isFirst = true; bytes.IndexOf((byte)'\n') is >= 0 and var end; isFirst = false)
        {
            var line = bytes[..end].TrimEnd((byte)'\r');
            bytes = bytes[(end + 1)..];
            if (isFirst)
            {
                if (line.Length < 9 || !line[^9..^1].SequenceEqual(" HTTP/1."u8))
                    return SniffState.Nothing;
                continue;
            }

            if (line.IsEmpty)
                return SniffState.Nothing;
            if (line.Length > 5 && line[4] == ':' && Ascii.EqualsIgnoreCase(line[..4], "host"u8))
                return TryName(line[5..].Trim(" \t"u8), isAuthority: true, out name) ? SniffState.Found : SniffState.Nothing;
        }

        return SniffState.More;
    }

    private static bool TryName(ReadOnlySpan<byte> text, bool isAuthority, out HostEndPoint name)
    {
        name = default;

        // A port behind it has five digits at most.
        Span<char> letters = stackalloc char[HostEndPoint.MaxHostLength + 6];
        if (text.Length == 0 || text.Length > letters.Length)
            return false;
        letters = letters[..Encoding.Latin1.GetChars(text, letters)];
        bool isHost = isAuthority
            ? HostEndPoint.TryParseAuthority(letters, 0, out name) && HostEndPoint.TryCreate(name.Host, 0, out name)
            : HostEndPoint.TryCreate(letters, 0, out name);
        if (isHost && name.Address is null)
            return true;
        name = default;
        return false;
    }

    private static bool TrySkip(ref ReadOnlySpan<byte> bytes, int count)
    {
        if (bytes.Length < count)
            return false;
        bytes = bytes[count..];
        return true;
    }

    /// <summary>What stands behind a length of one or two octets.</summary>
    private static bool TryTake(ref ReadOnlySpan<byte> bytes, int prefix, out ReadOnlySpan<byte> taken)
    {
        taken = default;
        if (bytes.Length < prefix)
            return false;
        int length = prefix == 1 ? bytes[0] : BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length < prefix + length)
            return false;
        taken = bytes.Slice(prefix, length);
        bytes = bytes[(prefix + length)..];
        return true;
    }
}
