using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Protocols.Dns;

/// <summary>What a name server said to one question.</summary>
/// <param name="Code">RCODE: 0 no error, 2 server failure, 3 no such name.</param>
/// <param name="Address">The first address of the type asked for; null: there is none.</param>
/// <param name="IsCut">TC: the answer did not fit and the rest of it is nowhere to be had, as nobody serves TCP there.</param>
internal readonly record struct DnsReply(int Code, IPAddress? Address, TimeSpan TimeToLive, bool IsCut = false);

/// <summary>
/// What is asked of a worker's DNSPort and what it answers (RFC 1035, section 4; RFC 3596 for AAAA). Pure. What clients ask of us is
/// a DnsQuery, and a DnsAnswer is what they are told.
/// </summary>
internal static class DnsMessage
{
    /// <summary>Header 12, name 255, type and class 4.</summary>
    public const int MaxQueryLength = 12 + 255 + 4;

    private const int HeaderLength = DnsFormat.HeaderLength, TypeA = (int)DnsType.A, TypeAaaa = (int)DnsType.Aaaa;

    // +----+--------------------------------+---------+---------+---------+---------+
    // | ID | QR Opcode AA TC RD RA Z RCODE  | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT |  each 16 bits
    // +----+--------------------------------+---------+---------+---------+---------+
    // | QNAME: length, label, …, 0 | QTYPE | QCLASS |

    /// <summary>
    /// The query's length, or 0 when the name cannot be asked for (an empty label, one of more than 63 octets, or too long).
    /// </summary>
    public static int WriteQuery(Span<byte> output, ushort id, ReadOnlySpan<char> name, AddressFamily family)
    {
        output[..HeaderLength].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(output, id);
        output[2] = 1; // recursion desired
        output[5] = 1; // one question
        int at = HeaderLength;
        foreach (var range in name.Split('.'))
        {
            var label = name[range];
            if (label.Length is 0 or > 63 || at + 1 + label.Length + 1 > HeaderLength + 255)
                return 0;
            output[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label, output[at..]);
        }

        output[at++] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(output[at..], family == AddressFamily.InterNetworkV6 ? (ushort)TypeAaaa : (ushort)TypeA);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 2)..], DnsFormat.ClassIn);
        return at + 4;
    }

    /// <summary>False for anything that is not a whole answer to this very query.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, ReadOnlySpan<byte> query, out DnsReply reply)
    {
        reply = default;
        int question = query.Length - HeaderLength;
        bool isOurs = message.Length >= query.Length && message[..2].SequenceEqual(query[..2]) && (message[2] & 0x80) != 0
            && BinaryPrimitives.ReadUInt16BigEndian(message[4..]) == 1
            && Ascii.EqualsIgnoreCase(message.Slice(HeaderLength, question), query[HeaderLength..]);
        if (!isOurs)
            return false;
        if ((message[2] & 0x02) != 0)
        {
            reply = new DnsReply(message[3] & 0x0F, null, default, IsCut: true);
            return true;
        }

        int wanted = BinaryPrimitives.ReadUInt16BigEndian(query[^4..]);
        int records = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        int at = query.Length;
        IPAddress? address = null;
        uint life = uint.MaxValue;
        for (int i = 0; i < records; i++)
        {
            if (!DnsFormat.TrySkipName(message, ref at) || message.Length - at < 10)
                return false;
            int type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]), kind = BinaryPrimitives
                .ReadUInt16BigEndian(message[(at + 2)..]);
            uint timeToLive = BinaryPrimitives.ReadUInt32BigEndian(message[(at + 4)..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            at += 10;
            if (message.Length - at < length)
                return false;

            // The records of a chain of aliases hold no longer than their shortest.
            life = Math.Min(life, timeToLive);
            if (address is null && type == wanted && kind == DnsFormat.ClassIn && length == (wanted == TypeA ? 4 : 16))
                address = new IPAddress(message.Slice(at, length));
            at += length;
        }

        reply = new DnsReply(message[3] & 0x0F, address, TimeSpan.FromSeconds(address is null ? 0 : Math.Min(life, int.MaxValue)));
        return true;
    }
}
