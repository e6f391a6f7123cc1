using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Tests.Support;

/// <summary>An answer of a name server, taken apart.</summary>
/// <param name="Data">Of the one record; empty: there is none.</param>
internal sealed record DnsProbeAnswer(int Code, bool IsCut, int Records, byte[] Data, uint TimeToLive, int Length)
{
    public IPAddress? Address => Data.Length is 4 or 16 ? new IPAddress(Data) : null;
}

/// <summary>Writes questions to a name server byte by byte, right ones and wrong ones.</summary>
internal static class DnsProbe
{
    public const ushort A = 1, Ptr = 12, Txt = 16, Aaaa = 28, Https = 65;

    /// <summary>A query with one question.</summary>
    /// <param name="edns">The packet size of an OPT record; null: none.</param>
    public static byte[] Query(string name, ushort type, ushort? edns = null, ushort @class = 1, byte ednsVersion = 0)
    {
        var bytes = new List<byte> { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, (byte)(edns is null ? 0 : 1) };
        foreach (string label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
            bytes.AddRange([(byte)label.Length, .. Encoding.Latin1.GetBytes(label)]);
        bytes.AddRange([0, (byte)(type >> 8), (byte)type, (byte)(@class >> 8), (byte)@class]);
        if (edns is { } size)
            bytes.AddRange([0, 0, 41, (byte)(size >> 8), (byte)size, 0, ednsVersion, 0, 0, 0, 0]);
        return [.. bytes];
    }

    /// <summary>Asks over UDP.</summary>
    /// <param name="from">Our own address; null: the kernel chooses.</param>
    public static async Task<DnsProbeAnswer> AskAsync(
        IPEndPoint server, byte[] query, CancellationToken token, IPAddress? from = null)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        if (from is not null)
            socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(server, token);
        await socket.SendAsync(query, token);
        byte[] answer = new byte[4096];
        return Parse(answer.AsSpan(0, await socket.ReceiveAsync(answer, token)), query);
    }

    /// <summary>Asks over TCP, several on one connection.</summary>
    public static async Task<List<DnsProbeAnswer>> AskOverTcpAsync(IPEndPoint server, CancellationToken token, params byte[][] queries)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, token);
        await using var stream = new NetworkStream(socket);
        foreach (byte[] query in queries)
            await stream.WriteAsync((byte[])[(byte)(query.Length >> 8), (byte)query.Length, .. query], token);
        var answers = new List<DnsProbeAnswer>();
        foreach (byte[] query in queries)
        {
            byte[] prefix = await SocksClient.ReadAsync(stream, 2, token);
            answers.Add(Parse(await SocksClient.ReadAsync(stream, BinaryPrimitives.ReadUInt16BigEndian(prefix), token), query));
        }

        return answers;
    }

    public static DnsProbeAnswer Parse(ReadOnlySpan<byte> answer, byte[] query)
    {
        Assert.That(answer[..2].ToArray(), Is.EqualTo(query[..2]), "the id");
        Assert.That(answer[2] & 0x80, Is.Not.Zero, "it is an answer");
        int records = BinaryPrimitives.ReadUInt16BigEndian(answer[6..]), at = 12;
        if (BinaryPrimitives.ReadUInt16BigEndian(answer[4..]) == 1)
        {
            while (answer[at] != 0)
                at += 1 + answer[at];
            at += 5;
            Assert.That(answer[12..at].ToArray(), Is.EqualTo(query[12..at]), "the question, as it was asked");
        }

        byte[] data = [];
        uint life = 0;
        if (records > 0)
        {
            Assert.That(answer.Slice(at, 2).ToArray(), Is.EqualTo(new byte[] { 0xC0, 12 }), "the name of the record");
            life = BinaryPrimitives.ReadUInt32BigEndian(answer[(at + 6)..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(answer[(at + 10)..]);
            data = answer.Slice(at + 12, length).ToArray();
            at += 12 + length;
        }

        int high = 0;
        if (answer[11] == 1)
        {
            Assert.That(answer.Slice(at, 3).ToArray(), Is.EqualTo(new byte[] { 0, 0, 41 }), "OPT");
            high = answer[at + 5];
            at += 11;
        }

        Assert.That(at, Is.EqualTo(answer.Length), "nothing comes behind it");
        return new DnsProbeAnswer((high << 4) | (answer[3] & 15), (answer[2] & 2) != 0, records, data, life, answer.Length);
    }
}
