namespace TorBalancer.Protocols.Dns;

/// <summary>What all messages of the DNS have in common (RFC 1035, section 4).</summary>
internal static class DnsFormat
{
    /// <summary>Bytes in front of every message's first question.</summary>
    public const int HeaderLength = 12;

    /// <summary>The internet's, and any.</summary>
    public const ushort ClassIn = 1, ClassAny = 255;

    /// <summary>Bytes that every client takes in one packet (section 4.2.1).</summary>
    public const int PlainPacket = 512;

    /// <summary>Bytes that we send, and take, in one packet: no path cuts it (DNS Flag Day 2020).</summary>
    public const int LargestPacket = 1232;

    /// <summary>
    /// Passes over a name. Labels end with 0 or with a pointer (two bits set), which takes two octets and ends the name here. False: there
    /// is none.
    /// </summary>
    public static bool TrySkipName(ReadOnlySpan<byte> message, ref int at)
    {
        while (at < message.Length)
        {
            int length = message[at];
            if (length == 0)
            {
                at++;
                return true;
            }

            if ((length & 0xC0) == 0xC0)
            {
                at += 2;
                return at <= message.Length;
            }

            if ((length & 0xC0) != 0)
                return false;
            at += 1 + length;
        }

        return false;
    }
}
