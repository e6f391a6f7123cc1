using System.Buffers.Binary;
using System.Net;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Dns;

/// <summary>What a client is told: a code, and with <see cref="DnsCode.NoError"/> one record or none (RFC 1035, section 4.1.3).</summary>
/// <param name="Code">Says whether there is an answer.</param>
/// <param name="Value">An address for A and AAAA, a name for PTR; null: no record, the name has none of that type.</param>
/// <param name="TimeToLive">How long the client may keep the record; whole seconds count.</param>
internal readonly record struct DnsAnswer(DnsCode Code, HostEndPoint? Value = null, TimeSpan TimeToLive = default)
{
    /// <summary>Header, question, one record with a name in it, and OPT.</summary>
    public const int MaxLength = DnsFormat.HeaderLength + 255 + 4 + 12 + 255 + OptRecord;

    private const int OptRecord = 11;

    // What stands right behind the header, as a pointer (section 4.1.4).
    private const ushort PointerToQuestion = 0xC000 | DnsFormat.HeaderLength;

    /// <summary>Writes the whole message. Gives its length.</summary>
    /// <param name="output">Of <see cref="MaxLength"/>.</param>
    /// <param name="query">What is answered; its question is repeated as it came.</param>
    /// <param name="limit">Bytes that the client takes; what is longer is cut behind the question, and TC says so.</param>
    public int Write(Span<byte> output, DnsQuery query, int limit)
    {
        int length = DnsFormat.HeaderLength + query.Question.Length;
        output[..DnsFormat.HeaderLength].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(output, query.Id);
        output[2] = (byte)(0x80 | (query.Opcode << 3) | (query.WantsRecursion ? 0x01 : 0));
        output[3] = (byte)(0x80 | (query.DisablesChecks ? 0x10 : 0) | ((int)Code & 0x0F));
        output[5] = (byte)(query.Question.IsEmpty ? 0 : 1);
        query.Question.Span.CopyTo(output[DnsFormat.HeaderLength..]);

        int edns = query.EdnsVersion is null ? 0 : OptRecord;
        if (Code == DnsCode.NoError && Value is { } value)
        {
            int record = WriteRecord(output[length..], query.Type, value);
            if (length + record + edns <= limit)
            {
                output[7] = 1;
                length += record;
            }
            else
            {
                output[2] |= 0x02;
            }
        }

        if (edns == 0)
            return length;
        output[11] = 1;
        var opt = output.Slice(length, OptRecord);
        opt.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(opt[1..], (ushort)DnsType.Opt);
        BinaryPrimitives.WriteUInt16BigEndian(opt[3..], DnsFormat.LargestPacket);
        opt[5] = (byte)((int)Code >> 4);
        opt[7] = (byte)(query.WantsDnssec ? 0x80 : 0);
        return length + OptRecord;
    }

    //  pointer 2 | type 2 | class 2 | time to live 4 | length 2 | data
    private int WriteRecord(Span<byte> output, DnsType type, HostEndPoint value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(output, PointerToQuestion);
        BinaryPrimitives.WriteUInt16BigEndian(output[2..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(output[4..], DnsFormat.ClassIn);
        BinaryPrimitives.WriteUInt32BigEndian(output[6..], (uint)Math.Clamp(TimeToLive.TotalSeconds, 0, int.MaxValue));
        int data = value.Address is { } address ? WriteAddress(output[12..], address) : WriteName(output[12..], value.Host);
        BinaryPrimitives.WriteUInt16BigEndian(output[10..], (ushort)data);
        return 12 + data;
    }

    private static int WriteAddress(Span<byte> output, IPAddress address)
    {
        address.TryWriteBytes(output, out int length);
        return length;
    }

    private static int WriteName(Span<byte> output, string name)
    {
        int at = 0;
        foreach (var range in name.AsSpan().Split('.'))
        {
            var label = name.AsSpan(range);
            output[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label, output[at..]);
        }

        output[at++] = 0;
        return at;
    }
}
