using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>
/// What was meant by an address that was refused: the one place that knows the wrong forms. A suggestion is always a form
/// that the strict parser takes.
/// </summary>
internal static class AddressDiagnosis
{
    /// <summary>host:port was wanted.</summary>
    /// <param name="text">What was found.</param>
    /// <param name="found">What the strict parser says of it.</param>
    /// <param name="defaultPort">The port to suggest where none was given; null: none is.</param>
    public static ValueProblem OfEndPoint(string text, ValueProblem found, int? defaultPort)
    {
        if (Scheme(text) is { } scheme)
        {
            string protocols = defaultPort is 1080 ? ", and what is spoken goes into Protocols" : "";
            return new ValueProblem(
                $"is a URL; an address has no \"{ConfText.Printable(scheme)}://\" in front{protocols}", Meant(Inside(text), defaultPort));
        }

        if (text is ['/', ..] or ['.', '/', ..] or ['~', '/', ..])
            return new ValueProblem("is a path; a unix socket is unix:/path", text[0] == '/' ? "unix:" + text : null);
        if (text.All(char.IsAsciiDigit))
            return new ValueProblem("is a port without an address", Meant(text, defaultPort));
        if (text is ['*', ':', ..])
        {
            return new ValueProblem("has no address: every one is 0.0.0.0 (IPv4) or [::] (IPv6), which needs Auth = required or AllowFrom",
                Meant(text, defaultPort));
        }

        if (text.IndexOfAny([',', ';', ' ']) is > 0 and var end && AddressText.ParseIPEndPoint(text[..end], out _) is null)
            return new ValueProblem("has more than one address; each is a section of its own", text[..end]);
        if (text.LastIndexOf('-') is > 0 and var dash && text[(dash + 1)..].All(char.IsAsciiDigit)
            && AddressText.ParseIPEndPoint(text[..dash], out _) is null)
            return new ValueProblem("has a range of ports, where one port is allowed", text[..dash]);
        return found with { Suggestion = Meant(text, defaultPort) };
    }

    /// <summary>An address without a port was wanted.</summary>
    /// <param name="text">What was found.</param>
    /// <param name="found">What the strict parser says of it.</param>
    /// <param name="port">Where a port behind the address goes, as a clause.</param>
    public static ValueProblem OfHost(string text, ValueProblem found, string port)
    {
        if (text.IndexOfAny([',', ';', ' ']) is > 0 and var end && AddressText.TryHost(text[..end], out _)
            && text[(end + 1)..].AsSpan().ContainsAny('.', ':'))
            return new ValueProblem("has more than one address; each is a section of its own", text[..end]);
        string inside = Inside(text);
        if (AddressText.TryHost(inside, out _) && !HidesPort(inside))
            return new ValueProblem(Scheme(text) is null ? found.What : "is a URL, not an address", inside);
        if (text.LastIndexOf('/') is > 0 and var slash && AddressText.TryHost(text[..slash], out _))
            return new ValueProblem("is a network, not an address", text[..slash]);
        string? meant = Meant(inside, null);
        if (meant is not null && AddressText.ParseIPEndPoint(meant, out var endPoint) is null)
        {
            string what = Scheme(text) is null ? $"carries a port, {port}" : $"is a URL with a port, {port}";
            return new ValueProblem(what, endPoint.Address.ToString());
        }

        return text is ['/', ..] && !text.Any(char.IsWhiteSpace)
            ? new ValueProblem("is a path; a unix socket is unix:/path", "unix:" + text)
            : found;
    }

    /// <summary>A port alone was wanted.</summary>
    /// <param name="text">What was found.</param>
    /// <param name="found">What the strict parser says of it.</param>
    /// <param name="address">Where an address in front of the port goes, as a clause.</param>
    public static ValueProblem OfPort(string text, ValueProblem found, string address)
    {
        if (text is ['/', ..])
            return new ValueProblem("is a path; a unix socket is unix:/path", "unix:" + text);
        int separator = text.IndexOfAny([',', '-', ' ']);
        if (separator > 0 && IsPort(text[..separator]) && IsPort(text[(separator + 1)..].Trim(' ', ',', '-').Split([',', '-', ' '])[0]))
            return new ValueProblem("names several ports; each is a [Worker:name] of its own", text[..separator]);
        if (text is [':' or '*', ..] && IsPort(text.TrimStart('*', ':')))
            return new ValueProblem("has a colon in front of the port", text.TrimStart('*', ':'));
        if (text.IndexOf('/') is > 0 and var slash && IsPort(text[..slash]))
            return new ValueProblem(found.What, text[..slash]);
        string inside = Inside(text);
        if (AddressText.TryHost(inside, out _) && !HidesPort(inside))
            return new ValueProblem($"is an address, {address}");
        if (Meant(inside, null) is { } meant && AddressText.ParseIPEndPoint(meant, out var endPoint) is null)
            return new ValueProblem($"carries an address, {address}", endPoint.Port.ToString(CultureInfo.InvariantCulture));
        int colon = inside.LastIndexOf(':');
        return colon > 0 && IsPort(inside[(colon + 1)..])
            ? new ValueProblem($"carries a host, {address}", inside[(colon + 1)..])
            : found;
    }

    /// <summary>A network was wanted, and not even the address before the prefix is one.</summary>
    public static ValueProblem OfNetwork(string text, ValueProblem found)
    {
        if (text.Split('-', StringSplitOptions.TrimEntries) is [var first, var last] && AddressText.TryLiteral(first, out var low)
            && AddressText.TryLiteral(last, out var high))
            return new ValueProblem("is not a network but a range; a network is an address and the length of a prefix",
                Spanning(low, high));
        bool isName = found.Suggestion is null && text.Any(char.IsAsciiLetter) && text.Contains('.')
            && !text.AsSpan().ContainsAny('/', ':', ',')
            && HostEndPoint.TryCreate(text, 0, out var host) && host.Address is null && !host.IsNumber;
        const string what = "is not a network but a name; names are never looked up here, and in a rule they go into Domain";
        return isName ? new ValueProblem(what, ShowAllowed: false) : found;
    }

    /// <summary>The network that begins and ends with these addresses; null: there is none.</summary>
    private static string? Spanning(IPAddress low, IPAddress high)
    {
        byte[] first = low.GetAddressBytes(), last = high.GetAddressBytes();
        int bits = first.Length * 8;
        for (int length = 0; first.Length == last.Length && length <= bits; length++)
        {
            bool spans = true;
            for (int bit = 0; bit < bits && spans; bit++)
            {
                int mask = 0x80 >> (bit % 8);
                bool isFirst = (first[bit / 8] & mask) != 0, isLast = (last[bit / 8] & mask) != 0;
                spans = bit < length ? isFirst == isLast : !isFirst && isLast;
            }

            if (spans)
                return string.Create(CultureInfo.InvariantCulture, $"{low}/{length}");
        }

        return null;
    }

    /// <summary>An IPv4 network with fewer numbers, a netmask or a *, as its prefix; null: no idea.</summary>
    public static string? Network(string text)
    {
        string[] parts = text.Split('/');
        var numbers = parts[0].TrimEnd('.', '*').Split('.', StringSplitOptions.RemoveEmptyEntries);
        if (numbers.Length is 0 or > 4
            || !numbers.All(static number => byte.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            return null;
        string length = parts.Length > 1 ? Prefix(parts[1]) : (numbers.Length * 8).ToString(CultureInfo.InvariantCulture);
        return $"{string.Join('.', numbers.Concat(Enumerable.Repeat("0", 4 - numbers.Length)))}/{length}";
    }

    /// <summary>A netmask as the length of its prefix; other text as it is.</summary>
    private static string Prefix(string text)
    {
        if (!AddressText.TryLiteral(text, out var mask) || mask.AddressFamily != AddressFamily.InterNetwork)
            return text;
        uint bits = BinaryPrimitives.ReadUInt32BigEndian(mask.GetAddressBytes());
        int ones = BitOperations.LeadingZeroCount(~bits);
        return ones + BitOperations.TrailingZeroCount(bits) >= 32 ? ones.ToString(CultureInfo.InvariantCulture) : text;
    }

    /// <summary>
    /// True for an IPv6 address without brackets whose last group looks like a port and can be left out: <c>::1:9050</c>. It is
    /// an address too, but nobody writes one like it; who means it writes <c>[::1:9050]</c>.
    /// </summary>
    public static bool HidesPort(string text)
    {
        int colon = text.LastIndexOf(':');
        return colon > 0 && text.Length - colon > 4 && IsPort(text[(colon + 1)..]) && text.Contains("::", StringComparison.Ordinal)
            && AddressText.TryLiteral(text, out _) && AddressText.TryLiteral(text[..colon], out _);
    }

    /// <summary>The address with a port that was meant; null: no idea.</summary>
    private static string? Meant(string text, int? defaultPort)
    {
        foreach (string candidate in Candidates(text.TrimEnd('/', ' '), defaultPort))
        {
            if (AddressText.ParseIPEndPoint(candidate, out _) is null)
                return candidate;
        }

        return null;
    }

    private static IEnumerable<string> Candidates(string text, int? defaultPort)
    {
        yield return text;
        string bare = text.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal);
        int colon = bare.LastIndexOf(':');
        string head = colon < 0 ? "" : bare[..colon], tail = bare[(colon + 1)..];
        if (head is "" or "*" && IsPort(tail))
            yield return $"127.0.0.1:{tail}";
        bool isIPv6 = bare.Contains("::", StringComparison.Ordinal) || bare.Count(static c => c == ':') > 1;

        // [::1:80 and [::1]80 and ::1:1080: the brackets in their places. An address as it stands is one, unless it hides a port.
        if (isIPv6 && (HidesPort(bare) || !AddressText.TryLiteral(bare, out _) || (text.StartsWith('[') && !text.EndsWith(']'))))
            yield return $"[{head}]:{tail}";
        if (text.IndexOf(']') is > 0 and var close && close < text.Length - 1)
            yield return $"{text[..(close + 1)]}:{text[(close + 1)..].TrimStart(':', ' ')}";
        if (!isIPv6)
        {
            yield return bare;
            if (bare.LastIndexOfAny([' ', ',', ';', '/', '.', '#']) is > 0 and var separator)
                yield return $"{bare[..separator].TrimEnd(' ', ':')}:{bare[(separator + 1)..]}";
        }

        if (defaultPort is not { } port)
            yield break;
        string host = bare.TrimEnd(':');
        if (AddressText.TryLiteral(bare, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6)
            yield return string.Create(CultureInfo.InvariantCulture, $"[{bare}]:{port}");
        yield return string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");
    }

    private static string? Scheme(string text) =>
        text.IndexOf("://", StringComparison.Ordinal) is > 0 and var at
            && text[..at].All(static c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-')
            ? text[..at] : null;

    /// <summary>A URL without its scheme, user and path; other text as it is.</summary>
    private static string Inside(string text)
    {
        if (Scheme(text) is not { } scheme)
            return text;
        string rest = text[(scheme.Length + 3)..];
        rest = rest[(rest.LastIndexOf('@') + 1)..];
        int slash = rest.IndexOf('/');
        return slash < 0 ? rest : rest[..slash];
    }

    private static bool IsPort(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= 65535;
}
