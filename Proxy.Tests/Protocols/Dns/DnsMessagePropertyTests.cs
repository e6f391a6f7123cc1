using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CsCheck;
using TorBalancer.Protocols.Dns;
using TorBalancer.Tests.Support;
using DnsMessage = TorBalancer.Protocols.Dns.DnsMessage;

namespace TorBalancer.Tests.Protocols.Dns;

public class DnsMessagePropertyTests
{
    private const ushort Alias = 5;

    /// <summary>Behind any chain of aliases; the answer lives no longer than the shortest of them.</summary>
    [Test]
    public void Answer_that_is_written_is_the_same_when_it_is_read() =>
        Gen.Select(
            Properties.Name, Gen.OneOf(Properties.IPv4, Properties.IPv6), Gen.Int[0, 100_000],
            Gen.Select(Properties.Label, Gen.Int[0, 100_000]).Array[0, 4], Gen.UShort).Holds(static one =>
        {
            var (name, address, life, aliases, id) = one;
            byte[] query = QueryOf(name, id, address.AddressFamily);
            byte[] answer = Answer(query, address, life, aliases);
            int shortest = aliases.Select(static alias => alias.Item2).Append(life).Min();
            return DnsMessage.TryParse(answer, query, out var reply)
                && reply == new DnsReply(0, address, TimeSpan.FromSeconds(shortest))
                && !DnsMessage.TryParse(answer.AsSpan(0, answer.Length - 1), query, out _)
                && !DnsMessage.TryParse(answer, QueryOf(name, (ushort)(id + 1), address.AddressFamily), out _)
                && !DnsMessage.TryParse(answer, QueryOf("x" + name, id, address.AddressFamily), out _);
        });

    private static byte[] QueryOf(string name, ushort id, AddressFamily family)
    {
        byte[] query = new byte[DnsMessage.MaxQueryLength];
        return query[..DnsMessage.WriteQuery(query, id, name, family)];
    }

    private static byte[] Answer(byte[] query, IPAddress address, int life, (string Label, int Life)[] aliases)
    {
        var answer = new List<byte>(query) { [2] = 0x81, [3] = 0x80, [7] = (byte)(aliases.Length + 1) };
        foreach (var (label, seconds) in aliases)
            AddRecord(answer, Alias, seconds, [(byte)label.Length, .. label.Select(static c => (byte)c), 0xC0, 12]);
        AddRecord(answer, (ushort)(address.AddressFamily == AddressFamily.InterNetwork ? 1 : 28), life, address.GetAddressBytes());
        return [.. answer];
    }

    private static void AddRecord(List<byte> answer, ushort type, int life, byte[] data)
    {
        byte[] head = [0xC0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, (byte)data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(2), type);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(6), life);
        answer.AddRange([.. head, .. data]);
    }
}
