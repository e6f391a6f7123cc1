using System.Buffers.Binary;
using System.Text;

namespace TorBalancer.Protocols.Dns;

/// <summary>What a client asks a name server: one question (RFC 1035, section 4.1), and what EDNS says of the client (RFC 6891).</summary>
internal sealed record DnsQuery
{
    private const int MostLabels = 255, LongestLabel = 63, OptRecord = 11;

    public required ushort Id { get; init; }

    /// <summary>0: a standard query; nothing else is served.</summary>
    public byte Opcode { get; init; }

    /// <summary>RD, which the answer repeats.</summary>
    public bool WantsRecursion { get; init; }

    /// <summary>CD, which the answer repeats (RFC 4035, section 3.2.2).</summary>
    public bool DisablesChecks { get; init; }

    /// <summary>Its bytes as they came, letter case included: the answer repeats them. Empty where they could not be read.</summary>
    public ReadOnlyMemory<byte> Question { get; init; }

    /// <summary>Labels and dots, as they came, without the root's; empty: the root. Null: there are signs in it that no host has.</summary>
    public string? Name { get; init; }

    public DnsType Type { get; init; }

    public ushort Class { get; init; }

    /// <summary>The client speaks EDNS, of this version; null: it does not.</summary>
    public byte? EdnsVersion { get; init; }

    /// <summary>DO, which the answer repeats.</summary>
    public bool WantsDnssec { get; init; }

    /// <summary>Bytes of the longest answer that it takes in one packet.</summary>
    public int PacketSize { get; init; } = DnsFormat.PlainPacket;

    // +----+--------------------------------------+---------+---------+---------+---------+
    // | ID | QR Opcode4 AA TC RD | RA Z AD CD RCODE4 | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT |  each 16 bits
    // +----+--------------------------------------+---------+---------+---------+---------+
    // | QNAME: length, label, …, 0 | QTYPE | QCLASS |
    // | 0 | OPT | packet size 2 | code 1, version 1, DO and zeros 2 | length 2, options |        among the additional records

    /// <summary>
    /// Reads a query. Null: it is none, and must not be answered, or two servers could answer each other without end. Otherwise
    /// <paramref name="problem"/> says whether it is one that cannot be served, with as much of it as could be read.
    /// </summary>
    public static DnsQuery? Read(ReadOnlyMemory<byte> message, out DnsCode problem)
    {
        problem = DnsCode.FormatError;
        var bytes = message.Span;
        if (bytes.Length < DnsFormat.HeaderLength || (bytes[2] & 0x80) != 0)
            return null;
        var query = new DnsQuery
        {
            Id = BinaryPrimitives.ReadUInt16BigEndian(bytes),
            Opcode = (byte)((bytes[2] >> 3) & 0x0F),
            WantsRecursion = (bytes[2] & 0x01) != 0,
            DisablesChecks = (bytes[3] & 0x10) != 0,
        };
        if (query.Opcode != 0)
        {
            problem = DnsCode.NotImplemented;
            return query;
        }

        // One question: no server answers several, and in a query there is nothing else but additional records.
        int additional = BinaryPrimitives.ReadUInt16BigEndian(bytes[10..]);
        if (BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]) != 1 || BinaryPrimitives.ReadUInt32BigEndian(bytes[6..]) != 0)
            return query;
        int at = DnsFormat.HeaderLength;
        if (!TryReadName(bytes, ref at, out string? name) || bytes.Length - at < 4)
            return query;
        query = query with
        {
            Question = message[DnsFormat.HeaderLength..(at + 4)],
            Name = name,
            Type = (DnsType)BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]),
            Class = BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 2)..]),
        };
        at += 4;
        for (; additional > 0; additional--)
        {
            bool isOpt = bytes.Length - at >= OptRecord && bytes[at] == 0
                && BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 1)..]) == (ushort)DnsType.Opt;
            if (isOpt)
            {
                // A second one makes the message none (RFC 6891, section 6.1.1).
                if (query.EdnsVersion is not null)
                    return query;
                query = query with
                {
                    PacketSize = Math.Max(DnsFormat.PlainPacket, (int)BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 3)..])),
                    EdnsVersion = bytes[at + 6],
                    WantsDnssec = (bytes[at + 7] & 0x80) != 0,
                };
            }

            if (!TrySkipRecord(bytes, ref at))
                return query;
        }

        problem = query.EdnsVersion > 0 ? DnsCode.BadVersion : DnsCode.NoError;
        return query;
    }

    private static bool TrySkipRecord(ReadOnlySpan<byte> bytes, ref int at)
    {
        if (!DnsFormat.TrySkipName(bytes, ref at) || bytes.Length - at < 10)
            return false;
        at += 10 + BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 8)..]);
        return at <= bytes.Length;
    }

    /// <summary>A question's name stands there whole: it is the first of the message, there is nothing to point to.</summary>
    private static bool TryReadName(ReadOnlySpan<byte> bytes, ref int at, out string? name)
    {
        Span<char> text = stackalloc char[MostLabels];
        int length = 0, start = at;
        bool isHost = true;
        name = null;
        while (at < bytes.Length)
        {
            int label = bytes[at++];
            if (label == 0)
            {
                name = isHost ? new string(text[..length]) : null;
                return true;
            }

            // With the root's octet 255 in all (section 3.1).
            if (label > LongestLabel || bytes.Length - at < label || at + label + 1 - start > MostLabels)
                return false;
            if (length > 0)
                text[length++] = '.';
            var signs = bytes.Slice(at, label);
            isHost &= !signs.ContainsAnyExceptInRange((byte)'!', (byte)'~') && !signs.Contains((byte)'.');
            length += Encoding.Latin1.GetChars(signs, text[length..]);
            at += label;
        }

        return false;
    }
}
