using System.Net.Sockets;
using TorBalancer.Protocols.Dns;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// What a worker's DNSPort answers, and what clients ask of ours. The first byte says what was asked, and whether the answer's id and
/// question are made to fit, so that what stands behind them is met.
/// </summary>
internal static class DnsTarget
{
    public static void Check(byte[] input)
    {
        if (input.Length == 0)
            return;
        var family = (input[0] & 1) == 0 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
        byte[] query = new byte[DnsMessage.MaxQueryLength];
        int length = DnsMessage.WriteQuery(query, 0x1234, (input[0] & 2) == 0 ? "a.example" : "b", family);
        query = query[..length];
        byte[] message = input[1..];
        if (DnsQuery.Read(message, out _) is { } asked)
            Expect.That(asked.Question.Length <= message.Length, "a question is a part of its query");
        if ((input[0] & 4) == 0)
        {
            // Header and question are the query's; flags and counts, if there are any, the input's.
            byte[] answer = [.. query, .. message[Math.Min(10, message.Length)..]];
            message.AsSpan(0, Math.Min(10, message.Length)).CopyTo(answer.AsSpan(2));
            (answer[2], answer[4], answer[5]) = ((byte)(answer[2] | 0x80), 0, 1);
            message = answer;
        }

        if (!DnsMessage.TryParse(message, query, out var reply))
            return;
        Expect.That(reply.Code is >= 0 and <= 15, "a code has four bits");
        Expect.That(reply.TimeToLive >= TimeSpan.Zero, "no time to live is negative");
        Expect.That(!reply.IsCut || reply.Address is null, "nothing of a cut answer is used");
        if (reply.Address is { } address)
        {
            Expect.Same(address.AddressFamily, family, "an address is of the kind that was asked for");
            Expect.That(message.AsSpan(length).IndexOf(address.GetAddressBytes()) >= 0, "an address stands in the answer");
        }

        byte[] longer = [.. message, 0, 1, 2];
        Expect.That(DnsMessage.TryParse(longer, query, out var same), "what follows an answer changes nothing");
        Expect.Same(same, reply, "what follows an answer changes nothing");
    }
}
