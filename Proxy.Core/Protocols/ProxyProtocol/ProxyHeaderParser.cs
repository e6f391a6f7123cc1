using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Numerics;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.ProxyProtocol;

/// <summary>
/// The header that a balancer sends in front of a client's bytes to say whose they are
/// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt), versions 1 and 2. Pure; nothing of a wrong header is used.
/// </summary>
internal static class ProxyHeaderParser
{
    /// <summary>The longest header of version 1, its CRLF included.</summary>
    public const int MaxTextLength = 107;

    /// <summary>The fixed part of a header of version 2.</summary>
    public const int FixedLength = 16;

    /// <summary>The most that may follow the fixed part: addresses and TLVs, which may hold a client's certificate.</summary>
    public const int MaxBlockLength = 16 * 1024 - FixedLength;

    private const int Crc32CLength = 4;
    private const byte Crc32CType = 0x03;

    /// <summary>The 12 bytes that a header of version 2 begins with.</summary>
    public static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>What a header of version 1 begins with.</summary>
    public static ReadOnlySpan<byte> Word => "PROXY "u8;

    /// <summary>Judges what has come so far, as early as it can be judged.</summary>
    /// <param name="buffer">All bytes since the connection began.</param>
    /// <param name="header">Set when it is complete.</param>
    /// <param name="problem">What is wrong when it is invalid: a predicate.</param>
    public static ProxyHeaderState Parse(in ReadOnlySequence<byte> buffer, out ProxyHeader header, out string? problem)
    {
        header = default;
        problem = null;
        if (buffer.IsEmpty)
            return ProxyHeaderState.Incomplete;
        var most = buffer.Slice(0, Math.Min(buffer.Length, FixedLength + MaxBlockLength));
        var bytes = most.IsSingleSegment ? most.FirstSpan : most.ToArray();
        if (StartsLike(bytes, Signature))
            return ParseBinary(bytes, out header, out problem);
        return StartsLike(bytes, Word) ? ParseText(bytes, out header, out problem) : ProxyHeaderState.Missing;
    }

    /// <summary>True when these bytes, the first of a connection, are what only a header begins with.</summary>
    public static bool IsBeginning(ReadOnlySpan<byte> bytes) => bytes.StartsWith(Word) || bytes.StartsWith(Signature[..5]);

    private static bool StartsLike(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> start)
    {
        int length = Math.Min(bytes.Length, start.Length);
        return bytes[..length].SequenceEqual(start[..length]);
    }

    //  "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP port SP port CRLF
    //  "PROXY" SP "UNKNOWN" [SP anything] CRLF
    private static ProxyHeaderState ParseText(ReadOnlySpan<byte> bytes, out ProxyHeader header, out string? problem)
    {
        header = default;
        problem = null;
        var line = bytes[..Math.Min(bytes.Length, MaxTextLength)];
        int end = line.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0 || (end == line.Length - 1 && line[end] == '\r'))
        {
            if (line.Length < MaxTextLength)
                return ProxyHeaderState.Incomplete;
            problem = "has no end of line within 107 bytes";
            return ProxyHeaderState.Invalid;
        }

        if (line[end] != '\r' || line[end + 1] != '\n')
        {
            problem = "has a line that does not end with CRLF";
            return ProxyHeaderState.Invalid;
        }

        int length = end + 2;
        var rest = line[Word.Length..end];
        if (rest.StartsWith("UNKNOWN"u8) && (rest.Length == 7 || rest[7] == ' '))
        {
            header = new ProxyHeader(length, null);
            return ProxyHeaderState.Complete;
        }

        bool isV4 = rest.StartsWith("TCP4 "u8);
        if (!isV4 && !rest.StartsWith("TCP6 "u8))
        {
            problem = "names neither TCP4 nor TCP6 nor UNKNOWN";
            return ProxyHeaderState.Invalid;
        }

        rest = rest[5..];
        if (TakeAddress(ref rest, isV4) is not { } source || TakeAddress(ref rest, isV4) is null)
            problem = "has a wrong address";
        else if (!TakePort(ref rest, isLast: false) || !TakePort(ref rest, isLast: true))
            problem = "has a wrong port";
        else
        {
            header = new ProxyHeader(length, source);
            return ProxyHeaderState.Complete;
        }

        return ProxyHeaderState.Invalid;
    }

    /// <summary>An address and the one space behind it; null where they are none.</summary>
    private static IPAddress? TakeAddress(ref ReadOnlySpan<byte> rest, bool isV4)
    {
        int space = rest.IndexOf((byte)' ');
        if (space is <= 0 or > 45)
            return null;
        Span<char> text = stackalloc char[space];
        Encoding.Latin1.GetChars(rest[..space], text);
        rest = rest[(space + 1)..];
        return text.Contains(':') != isV4 && AddressLiteral.TryParse(text, out var address) ? address : null;
    }

    private static bool TakePort(ref ReadOnlySpan<byte> rest, bool isLast)
    {
        int end = isLast ? rest.Length : rest.IndexOf((byte)' ');
        if (end is <= 0 or > 5 || ParseNumber(rest[..end]) is not (>= 0 and <= ushort.MaxValue))
            return false;
        rest = isLast ? default : rest[(end + 1)..];
        return true;
    }

    /// <summary>A decimal number of at most five digits without leading zeros; -1: it is none.</summary>
    private static int ParseNumber(ReadOnlySpan<byte> text)
    {
        if (text.Length > 1 && text[0] == '0')
            return -1;
        int number = 0;
        foreach (byte digit in text)
        {
            if (!char.IsAsciiDigit((char)digit))
                return -1;
            number = (number * 10) + (digit - '0');
        }

        return number;
    }

    //  signature 12 | version 4 bits, command 4 bits | family 4 bits, protocol 4 bits | length of what follows 2
    //  source, destination, their ports        of TCP4 and UDP4 12 bytes, of TCP6 and UDP6 36, of UNIX 216 without ports
    //  type 1 | length 2 | value               TLVs, any number
    private static ProxyHeaderState ParseBinary(ReadOnlySpan<byte> bytes, out ProxyHeader header, out string? problem)
    {
        header = default;
        problem = null;
        int command = bytes.Length > 12 ? bytes[12] : 0x20, family = bytes.Length > 13 ? bytes[13] : 0;
        if (command is not (0x20 or 0x21))
        {
            problem = command >> 4 == 2 ? "has a command that is neither LOCAL nor PROXY" : "is of another version than 1 or 2";
            return ProxyHeaderState.Invalid;
        }

        // A sender that speaks for itself may leave anything in the rest; it is passed over.
        bool isLocal = command == 0x20;
        int addresses = isLocal ? 0 : AddressLength(family);
        if (addresses < 0)
        {
            problem = "has an unknown address family";
            return ProxyHeaderState.Invalid;
        }

        if (bytes.Length < FixedLength)
            return ProxyHeaderState.Incomplete;
        int length = FixedLength + BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (length > FixedLength + MaxBlockLength)
            problem = "is longer than 16 KiB";
        else if (length < FixedLength + addresses)
            problem = "is too short for its addresses";
        if (problem is not null)
            return ProxyHeaderState.Invalid;
        if (bytes.Length < length)
            return ProxyHeaderState.Incomplete;
        bool hasFamily = !isLocal && family != 0;
        if (hasFamily && ProblemOfValues(bytes[..length], FixedLength + addresses) is { } wrong)
        {
            problem = wrong;
            return ProxyHeaderState.Invalid;
        }

        var block = bytes[FixedLength..];
        var source = isLocal ? null : family switch
        {
            0x11 => Address(block[..4]),
            0x21 => Address(block[..16]),

            // Of a unix socket's peer nothing is known that tells clients apart, and there are no datagrams here: allowed and not supported
            // (section 2.2), as if it were unspecified.
            _ => null,
        };
        header = new ProxyHeader(length, source);
        return ProxyHeaderState.Complete;
    }

    /// <summary>Bytes of both addresses and ports; -1: there is no such family and protocol.</summary>
    private static int AddressLength(int family) => family switch
    {
        0x00 => 0,
        0x11 or 0x12 => 12,
        0x21 or 0x22 => 36,
        0x31 or 0x32 => 216,
        _ => -1,
    };

    /// <summary>What is wrong with the TLVs from here on; null: nothing. Only the checksum means anything to us.</summary>
    private static string? ProblemOfValues(ReadOnlySpan<byte> header, int at)
    {
        while (at < header.Length)
        {
            if (header.Length - at < 3)
                return "has a TLV that is cut";
            byte type = header[at];
            int length = BinaryPrimitives.ReadUInt16BigEndian(header[(at + 1)..]), value = at + 3;
            at = value + length;
            if (at > header.Length)
                return "has a TLV that is longer than the header";
            if (type != Crc32CType)
                continue;
            if (length != Crc32CLength)
                return "has a checksum that is not four bytes long";
            if (BinaryPrimitives.ReadUInt32BigEndian(header[value..]) != Checksum(header, value))
                return "has a wrong checksum";
        }

        return null;
    }

    /// <summary>CRC32c (RFC 4960, appendix B) of a header, its own four bytes taken for zeros.</summary>
    private static uint Checksum(ReadOnlySpan<byte> header, int checksumAt)
    {
        uint crc = uint.MaxValue;
        for (int i = 0; i < header.Length; i++)
            crc = BitOperations.Crc32C(crc, i >= checksumAt && i < checksumAt + Crc32CLength ? (byte)0 : header[i]);
        return ~crc;
    }

    private static IPAddress Address(ReadOnlySpan<byte> bytes)
    {
        var address = new IPAddress(bytes);
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}
