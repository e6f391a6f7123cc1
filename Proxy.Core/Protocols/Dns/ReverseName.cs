using System.Globalization;
using System.Net;

namespace TorBalancer.Protocols.Dns;

/// <summary>Names that stand for addresses: in-addr.arpa (RFC 1035, section 3.5) and ip6.arpa (RFC 3596, section 2.5).</summary>
internal static class ReverseName
{
    private const string OfIPv4 = ".in-addr.arpa", OfIPv6 = ".ip6.arpa";

    private const int Nibbles = 32;

    /// <summary>The address that a whole such name stands for; null: it is none, or only a part of one.</summary>
    public static IPAddress? Parse(ReadOnlySpan<char> name)
    {
        if (name.EndsWith(OfIPv4, StringComparison.OrdinalIgnoreCase))
            return ParseIPv4(name[..^OfIPv4.Length]);
        return name.EndsWith(OfIPv6, StringComparison.OrdinalIgnoreCase) ? ParseIPv6(name[..^OfIPv6.Length]) : null;
    }

    // The last octet first.
    private static IPAddress? ParseIPv4(ReadOnlySpan<char> labels)
    {
        Span<byte> bytes = stackalloc byte[4];
        int left = bytes.Length;
        foreach (var range in labels.Split('.'))
        {
            var label = labels[range];
            bool isOctet = left > 0 && label.Length is >= 1 and <= 3 && (label.Length == 1 || label[0] != '0')
                && byte.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out bytes[left - 1]);
            if (!isOctet)
                return null;
            left--;
        }

        return left == 0 ? new IPAddress(bytes) : null;
    }

    // The last nibble first.
    private static IPAddress? ParseIPv6(ReadOnlySpan<char> labels)
    {
        if (labels.Length != (2 * Nibbles) - 1)
            return null;
        Span<byte> bytes = stackalloc byte[Nibbles / 2];
        bytes.Clear();
        for (int i = 0; i < Nibbles; i++)
        {
            char digit = labels[2 * i];
            if (!char.IsAsciiHexDigit(digit) || (i < Nibbles - 1 && labels[(2 * i) + 1] != '.'))
                return null;
            int value = Convert.ToInt32(digit.ToString(), 16);
            bytes[(Nibbles - 1 - i) / 2] |= (byte)(i % 2 == 0 ? value : value << 4);
        }

        return new IPAddress(bytes);
    }
}
