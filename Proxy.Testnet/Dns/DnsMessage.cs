using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Testnet.Dns;

/// <summary>The record types that tor's exits ask for, and what else is not answered.</summary>
internal enum DnsType : ushort
{
    A = 1,
    Ptr = 12,
    Aaaa = 28,
}

/// <summary>RFC 1035, 4.1.1.</summary>
internal enum DnsCode : byte
{
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NameError = 3,
    NotImplemented = 4,
}

/// <summary>One question. <paramref name="Section"/> is its bytes as they came: the answer repeats them, letter case included.</summary>
internal readonly record struct DnsQuestion(string Name, DnsType Type, ReadOnlyMemory<byte> Section);

/// <summary>
/// Just enough of RFC 1035 for an authoritative server of one question a message.
/// <code>
///   0      2      4        6        8        10       12
///   +------+------+--------+--------+--------+--------+----------------------------+
///   |  id  | flags| qdcount| ancount| nscount| arcount| question: labels 0 type class
///   +------+------+--------+--------+--------+--------+----------------------------+
///   flags: QR opcode(4) AA TC RD RA Z(3) rcode(4)
/// </code>
/// </summary>
internal static class DnsMessage
{
    private const int HeaderSize = 12;
    private const int MaxNameLength = 255;
    private const ushort Response = 0x8000;
    private const ushort OpcodeMask = 0x7800;
    private const ushort Authoritative = 0x0400;
    private const ushort RecursionDesired = 0x0100;
    private const ushort RecursionAvailable = 0x0080;
    private const ushort ClassIn = 1;

    // A pointer to the question's name, which always stands right behind the header (4.1.4).
    private const ushort PointerToQuestion = 0xC000 | HeaderSize;

    /// <summary>Reads a query with exactly one question. What follows it (EDNS) is ignored, which RFC 6891, 7 allows.</summary>
    public static bool TryReadQuestion(ReadOnlyMemory<byte> message, out DnsQuestion question)
    {
        question = default;
        ReadOnlySpan<byte> span = message.Span;
        if (span.Length < HeaderSize)
            return false;
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(span[2..]);
        if ((flags & (Response | OpcodeMask)) != 0 || BinaryPrimitives.ReadUInt16BigEndian(span[4..]) != 1)
            return false;

        var name = new StringBuilder();
        int at = HeaderSize;
        while (true)
        {
            if (at >= span.Length)
                return false;
            int length = span[at++];
            if (length == 0)
                break;

            // Lengths above 63 are pointers or reserved; a question has nothing to point to.
            if (length > 63 || at + length > span.Length || at - HeaderSize + length > MaxNameLength)
                return false;
            if (name.Length > 0)
                name.Append('.');
            name.Append(Encoding.Latin1.GetString(span.Slice(at, length)));
            at += length;
        }

        if (at + 4 > span.Length || BinaryPrimitives.ReadUInt16BigEndian(span[(at + 2)..]) != ClassIn)
            return false;
        var type = (DnsType)BinaryPrimitives.ReadUInt16BigEndian(span[at..]);
        question = new DnsQuestion(name.ToString(), type, message[HeaderSize..(at + 4)]);
        return true;
    }

    /// <summary>Writes the response to <paramref name="question"/>; returns its length.</summary>
    /// <param name="query">The query, for its id and its RD flag.</param>
    /// <param name="ttl">Seconds.</param>
    public static int WriteResponse(Span<byte> output, ReadOnlySpan<byte> query, DnsQuestion question, DnsAnswer answer, int ttl)
    {
        ushort desired = (ushort)(BinaryPrimitives.ReadUInt16BigEndian(query[2..]) & RecursionDesired);
        query[..2].CopyTo(output);
        BinaryPrimitives.WriteUInt16BigEndian(
            output[2..], (ushort)(Response | Authoritative | RecursionAvailable | desired | (ushort)answer.Code));
        BinaryPrimitives.WriteUInt16BigEndian(output[4..], 1);
        BinaryPrimitives.WriteUInt16BigEndian(output[6..], answer.HasRecord ? (ushort)1 : (ushort)0);
        output[8..HeaderSize].Clear();
        question.Section.Span.CopyTo(output[HeaderSize..]);
        int at = HeaderSize + question.Section.Length;
        if (!answer.HasRecord)
            return at;

        BinaryPrimitives.WriteUInt16BigEndian(output[at..], PointerToQuestion);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 2)..], (ushort)question.Type);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 4)..], ClassIn);
        BinaryPrimitives.WriteInt32BigEndian(output[(at + 6)..], ttl);
        int length = answer.Address is { } address
            ? WriteAddress(output[(at + 12)..], address)
            : WriteName(output[(at + 12)..], answer.Name!);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 10)..], (ushort)length);
        return at + 12 + length;
    }

    private static int WriteAddress(Span<byte> output, IPAddress address)
    {
        if (!address.TryWriteBytes(output, out int length))
            throw new SocketException((int)SocketError.NoBufferSpaceAvailable);
        return length;
    }

    private static int WriteName(Span<byte> output, string name)
    {
        int at = 0;
        foreach (string label in name.Split('.'))
        {
            output[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label, output[at..]);
        }

        output[at++] = 0;
        return at;
    }
}
