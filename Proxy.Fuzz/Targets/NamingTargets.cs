using System.Net;
using System.Net.Sockets;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Dns;

namespace TorBalancer.Fuzz.Targets;

/// <summary>What hosts send that know of no proxy: questions to the name server, and first bytes in which a name is looked for.</summary>
internal static class NamingTargets
{
    public static void Query(byte[] input)
    {
        var query = DnsQuery.Read(input, out var problem);
        if (query is null)
            return;
        Expect.That(query.PacketSize >= DnsFormat.PlainPacket, "no client takes less than 512 bytes");
        Expect.That(query.Question.IsEmpty || input.AsSpan(DnsFormat.HeaderLength).StartsWith(query.Question.Span),
            "the question stands behind the header");

        if (ReverseName.Parse(query.Name) is { } reversed)
        {
            var family = query.Name!.EndsWith(".ip6.arpa", StringComparison.OrdinalIgnoreCase)
                ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
            Expect.Same(reversed.AddressFamily, family, "a reversed name is an address of its kind");
        }

        // Whatever was asked, the answer is a message of the right length that no server takes for a question.
        HostEndPoint? value = query.Type switch
        {
            DnsType.A => HostEndPoint.FromAddress(IPAddress.Parse("192.0.2.1"), 0),
            DnsType.Aaaa => HostEndPoint.FromAddress(IPAddress.Parse("2001:db8::1"), 0),
            _ => null,
        };
        byte[] output = new byte[DnsAnswer.MaxLength];
        var answer = new DnsAnswer(problem, problem == DnsCode.NoError ? value : null, TimeSpan.FromSeconds(1));
        int length = answer.Write(output, query, Math.Min(query.PacketSize, DnsFormat.LargestPacket));
        Expect.That(length >= DnsFormat.HeaderLength && length <= output.Length, "an answer has room");
        Expect.That(DnsQuery.Read(output.AsMemory(0, length), out _) is null, "an answer is no question");
    }

    /// <summary>What is said of the first bytes holds when more have come.</summary>
    public static void FirstBytes(byte[] input)
    {
        var whole = NameSniffer.Find(input, out var name);
        bool isSaid = false;
        for (int length = 0; length < input.Length; length += 1 + (length / 8))
        {
            var state = NameSniffer.Find(input.AsSpan(0, length), out var early);
            if (state == SniffState.More)
            {
                Expect.That(!isSaid, "what was said is not taken back");
                continue;
            }

            isSaid = true;
            Expect.Same(state, whole, "more bytes change nothing");
            Expect.Same(early, name, "more bytes change no name");
        }
    }
}
