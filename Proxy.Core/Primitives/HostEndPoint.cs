using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Primitives;

/// <summary>
/// A host (a name or an IP literal) in canonical form, and a port (0-65535). It cannot resolve: a name only ever travels to a
/// worker. An IP literal sent as text (Chromium and torsocks do so) is recognised as one. Two spellings of one host are
/// equal; what was decided about it, what is remembered for it and what is sent are about the same characters.
/// </summary>
public readonly record struct HostEndPoint
{
    /// <summary>The longest name that SOCKS5 can carry (RFC 1928, section 5: one length octet).</summary>
    public const int MaxHostLength = 255;

    private const string NoHost = "not a host name or an IP address";

    private HostEndPoint(string host, IPAddress? address, int port)
    {
        Host = host;
        Address = address;
        Port = port;
    }

    /// <summary>
    /// The name in lower-case ASCII without the root dot, or the address: four decimal numbers, or IPv6 as .NET writes it (RFC 5952)
    /// without brackets. An IPv4-mapped IPv6 address is the IPv4 address.
    /// </summary>
    public string Host { get; }

    /// <summary>The address when the host is an IP literal; null for a name.</summary>
    public IPAddress? Address { get; }

    /// <summary>0-65535; 0 only where a protocol ignores the port (RESOLVE).</summary>
    public int Port { get; }

    /// <summary>True for a name in the .onion zone (RFC 7686).</summary>
    public bool IsOnion => Address is null && Host is not null && OnionAddress.IsOnionName(Host);

    /// <summary>
    /// True for a name whose last label is a number, decimal or hexadecimal: <c>127.1</c>, <c>0x7f.1</c>, <c>2130706433</c>. No name
    /// of the DNS is such a one, and to a resolver that reads addresses as inet_aton(3) does it is an address (URL Standard, "ends in a
    /// number").
    /// </summary>
    public bool IsNumber => Address is null && Host is not null && HostName.EndsInNumber(Host);

    /// <summary>
    /// True for what can only be meant for the machine or the network of whoever asks; see <see cref="PublicAddress"/> and
    /// <see cref="LocalName"/>.
    /// </summary>
    public bool IsPrivate => Address is { } address ? !PublicAddress.Is(address) : Host is not null && LocalName.Is(Host);

    public static HostEndPoint FromAddress(IPAddress address, int port)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return new HostEndPoint(address.ToString(), address, port);
    }

    /// <inheritdoc cref="TryCreate(ReadOnlySpan{char}, int, out HostEndPoint, out string)"/>
    public static bool TryCreate(ReadOnlySpan<char> host, int port, out HostEndPoint endPoint) =>
        TryCreate(host, port, out endPoint, out _);

    /// <summary>
    /// Takes a host as text, in any spelling: a name (RFC 1035), an IPv4 address as four decimal numbers, with or without the
    /// root dot, an IPv6 address with or without brackets. Addresses with a zone (RFC 4007) are none to anybody else.
    /// </summary>
    /// <param name="problem">Why it is none, without repeating any of it; null on success.</param>
    public static bool TryCreate(ReadOnlySpan<char> host, int port, out HostEndPoint endPoint, out string? problem)
    {
        endPoint = default;
        problem = NoHost;
        if ((uint)port > 65535)
            return false;
        bool bracketed = host.Length >= 2 && host[0] == '[' && host[^1] == ']';
        if (bracketed)
            host = host[1..^1];
        if (bracketed || host.Contains(':'))
        {
            bool isAddress = host.Contains(':') && AddressLiteral.TryParse(host, out var address6) && Set(address6, port, out endPoint);
            problem = isAddress ? null : problem;
            return isAddress;
        }

        // The root dot makes no name of an address: clients and resolvers read "1.2.3.4." as 1.2.3.4. What inet_aton takes beside it
        // ("1.2", "0x7f.0.0.1") is no literal here, because tor treats it as a name. Routes refuse those (IsNumber).
        var literal = host.Length > 1 && host[^1] == '.' ? host[..^1] : host;
        if (AddressLiteral.TryParse(literal, out var address4))
        {
            problem = null;
            return Set(address4, port, out endPoint);
        }

        if (!HostName.TryCreate(host, out string? name, out problem))
            return false;
        endPoint = new HostEndPoint(name, null, port);
        return true;
    }

    /// <inheritdoc cref="TryParseAuthority(ReadOnlySpan{char}, int?, out HostEndPoint, out string)"/>
    public static bool TryParseAuthority(ReadOnlySpan<char> text, int? defaultPort, out HostEndPoint endPoint) =>
        TryParseAuthority(text, defaultPort, out endPoint, out _);

    /// <summary>
    /// Parses <c>host:port</c>, <c>[v6]:port</c> (RFC 3986, section 3.2; RFC 9110, section 4.2.3), without user information.
    /// </summary>
    /// <param name="problem">Why it is none, without repeating any of it; null on success.</param>
    public static bool TryParseAuthority(ReadOnlySpan<char> text, int? defaultPort, out HostEndPoint endPoint, out string? problem)
    {
        endPoint = default;
        problem = "no valid port";
        ReadOnlySpan<char> host = text;
        int? port = defaultPort;
        int colon = text.LastIndexOf(':');
        bool bracketed = text.Length > 0 && text[0] == '[';
        int close = bracketed ? text.IndexOf(']') : -1;
        if (colon > close)
        {
            host = text[..colon];
            var digits = text[(colon + 1)..];
            if (digits.IsEmpty && defaultPort is not null)
                port = defaultPort;
            else if (!TryParsePort(digits, out int parsed))
                return false;
            else
                port = parsed;
        }

        if (port is null)
            return false;

        // A bare IPv6 address may end in something that looks like a port.
        if (bracketed ? host.Length != close + 1 : host.Contains(':'))
        {
            problem = NoHost;
            return false;
        }

        return TryCreate(host, port.Value, out endPoint, out problem);
    }

    /// <summary>
    /// The host and the port of a URL, from its own characters: those that <see cref="Uri"/> shows are other ones, because it reads
    /// 0x7f.1 as 127.0.0.1, and without ICU makes A-labels of full-width letters that every other program maps to ASCII.
    /// So a host is the same here and in every protocol. User information is passed over.
    /// </summary>
    /// <param name="url">Absolute, with an authority and a scheme that has a port of its own.</param>
    /// <param name="problem">Why there is none, without repeating any of it; null on success.</param>
    public static bool TryFromUri(Uri url, out HostEndPoint endPoint, out string? problem)
    {
        var text = url.OriginalString.AsSpan();
        int start = text.IndexOf("://");
        if (start < 0)
        {
            (endPoint, problem) = (default, NoHost);
            return false;
        }

        text = text[(start + 3)..];
        int end = text.IndexOfAny(@"/\?#");
        var authority = end < 0 ? text : text[..end];
        return TryParseAuthority(authority[(authority.LastIndexOf('@') + 1)..], url.Port, out endPoint, out problem);
    }

    public override string ToString() =>
        Address is { AddressFamily: AddressFamily.InterNetworkV6 }
            ? string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>
    /// The host as it stands in a URI and, with its port unless that is the scheme's own, in a Host field (RFC 9110, section 4.2.3).
    /// </summary>
    public string ToAuthority(int defaultPort)
    {
        if (Port != defaultPort)
            return ToString();
        return Address is { AddressFamily: AddressFamily.InterNetworkV6 } ? $"[{Host}]" : Host;
    }

    private static bool Set(IPAddress address, int port, out HostEndPoint endPoint)
    {
        endPoint = FromAddress(address, port);
        return true;
    }

    /// <summary>1*DIGIT, and more than 0: leading zeros say nothing (RFC 3986, section 3.2.3).</summary>
    private static bool TryParsePort(ReadOnlySpan<char> digits, out int port)
    {
        port = 0;
        digits = digits.TrimStart('0');
        return digits.Length is > 0 and <= 5
            && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && port <= 65535;
    }
}
