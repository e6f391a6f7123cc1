using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace TorBalancer.Primitives;

/// <summary>
/// IP addresses as text, the one way in: IPv4 as four decimal numbers without leading zeros (RFC 3986, section 3.2.2), IPv6 as in RFC 4291,
/// section 2.2. What IPAddress.TryParse takes beside those is none: 1, 127.1, 0x7f.0.0.1 and 010.0.0.1
/// (inet_aton) mean something else to each reader, and brackets, ports and prefixes are no part of an address. An IPv4-mapped IPv6 address
/// is the IPv4 address.
/// </summary>
internal static class AddressLiteral
{
    private const int LongestIPv4 = 15, LongestIPv6 = 45;

    /// <summary>Reads an address without a zone.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address) =>
        text.Contains(':') ? TryIPv6(text, out address) : TryIPv4(text, out address);

    /// <summary>
    /// The same, or an IPv6 address with a zone (RFC 4007, section 11), whose interface this machine has: fe80::1%eth0.
    /// </summary>
    public static bool TryParseZoned(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address)
    {
        int zone = text.IndexOf('%');
        if (zone < 0)
            return TryParse(text, out address);
        if (zone < text.Length - 1 && !text[zone..].ContainsAny('[', ']', '/') && TryIPv6(text[..zone], out address))
            return Framework(text, out address);
        address = null;
        return false;
    }

    /// <summary>Reads 192.0.2.1:80 or [2001:db8::1]:80, a zone within the brackets included.</summary>
    public static bool TryParseEndPoint(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        endPoint = null;
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !TryPort(text[(colon + 1)..], out int port))
            return false;
        var host = text[..colon];
        bool isBracketed = host is ['[', .., ']'];
        if (isBracketed)
            host = host[1..^1];
        if (host.Contains(':') != isBracketed || !TryParseZoned(host, out var address))
            return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }

    private static bool TryPort(ReadOnlySpan<char> digits, out int port) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= IPEndPoint.MaxPort;

    private static bool TryIPv4(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (text.Length > LongestIPv4)
            return false;
        Span<byte> bytes = stackalloc byte[4];
        int count = 0, digits = 0, number = 0;
        foreach (char c in text)
        {
            if (c == '.')
            {
                if (digits == 0 || count == 3)
                    return false;
                bytes[count++] = (byte)number;
                (digits, number) = (0, 0);
                continue;
            }

            // A number that begins with 0 is octal to some.
            if (!char.IsAsciiDigit(c) || (digits > 0 && number == 0))
                return false;
            number = (number * 10) + (c - '0');
            digits++;
            if (number > byte.MaxValue)
                return false;
        }

        if (count != 3 || digits == 0)
            return false;
        bytes[3] = (byte)number;
        address = new IPAddress(bytes);
        return true;
    }

    private static bool TryIPv6(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (text.Length > LongestIPv6)
            return false;
        foreach (char c in text)
        {
            if (!char.IsAsciiHexDigit(c) && c is not (':' or '.'))
                return false;
        }

        if (text.Contains('.') && !TryIPv4(text[(text.LastIndexOf(':') + 1)..], out _))
            return false;
        if (!Framework(text, out address))
            return false;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return true;
    }

#pragma warning disable RS0030 // The one place that has checked before what the framework takes beside addresses.
    private static bool Framework(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address) =>
        IPAddress.TryParse(text, out address);
#pragma warning restore RS0030
}
