using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Primitives;

/// <summary>
/// A host as the client gave it (a name or an IP literal) and a port (0-65535). It cannot resolve: a name only
/// ever travels to a worker. An IP literal sent as text (Chromium and torsocks do so) is recognised as one.
/// </summary>
public readonly record struct HostEndPoint
{
    /// <summary>The longest name that SOCKS5 can carry (RFC 1928, section 5: one length octet).</summary>
    public const int MaxHostLength = 255;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private HostEndPoint(string host, IPAddress? address, int port)
    {
        Host = host;
        Address = address;
        Port = port;
    }

    /// <summary>The name as given, or the literal in its canonical text form, without brackets.</summary>
    public string Host { get; }

    /// <summary>The address when the host is an IP literal; null for a name.</summary>
    public IPAddress? Address { get; }

    /// <summary>0-65535; 0 only where a protocol ignores the port (RESOLVE).</summary>
    public int Port { get; }

    /// <summary>True for a name in the .onion zone (RFC 7686), any letter case, with or without the root dot.</summary>
    public bool IsOnion => Address is null && Host is not null && OnionAddress.IsOnionName(Host);

    /// <summary>
    /// True for a name whose last label is a number, decimal or hexadecimal: <c>127.1</c>, <c>0x7f.1</c>, <c>2130706433</c>. No name
    /// of the DNS is such a one, and to a resolver that reads addresses as inet_aton(3) does it is an address (URL Standard, "ends in a number").
    /// </summary>
    public bool IsNumber => Address is null && Host is not null && EndsInNumber(Host);

    public static HostEndPoint FromAddress(IPAddress address, int port)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return new HostEndPoint(address.ToString(), address, port);
    }

    /// <summary>
    /// Takes a host as text. False when it is empty, longer than <see cref="MaxHostLength"/>, or holds a character
    /// that no host name has (controls, spaces, and the delimiters of a URI authority).
    /// </summary>
    public static bool TryCreate(ReadOnlySpan<char> host, int port, out HostEndPoint endPoint)
    {
        endPoint = default;
        if (host.Length >= 2 && host[0] == '[' && host[^1] == ']')
        {
            host = host[1..^1];
            if (!host.Contains(':'))
                return false;
        }

        if (host.IsEmpty || host.Length > MaxHostLength || (uint)port > 65535)
            return false;

        // The root dot makes no name of an address: clients and resolvers read "1.2.3.4." as 1.2.3.4.
        var literal = host.Length > 1 && host[^1] == '.' ? host[..^1] : host;
        if (LooksLikeAddress(literal) && IPAddress.TryParse(literal, out var address))
        {
            // IPAddress.TryParse takes "1.2", "0x7f.0.0.1" and octal parts for IPv4; only the canonical dotted quad is a
            // literal here, because tor treats everything else as a name. Routes refuse those (IsNumber).
            if (address.AddressFamily == AddressFamily.InterNetworkV6 ? literal.Length == host.Length : literal.SequenceEqual(address.ToString()))
            {
                if (host.Contains('%'))
                    return false;
                endPoint = FromAddress(address, port);
                return true;
            }
        }

        foreach (char c in host)
        {
            if (c <= ' ' || c >= 0x7f || c is '/' or '?' or '#' or '@' or '\\' or '[' or ']' or ':' or '%' or '<' or '>' or '"')
                return false;
        }

        endPoint = new HostEndPoint(host.ToString(), null, port);
        return true;
    }

    /// <summary>Parses <c>host:port</c>, <c>[v6]:port</c> (RFC 9110, section 4.2.3 authority form).</summary>
    public static bool TryParseAuthority(ReadOnlySpan<char> text, int? defaultPort, out HostEndPoint endPoint)
    {
        endPoint = default;
        ReadOnlySpan<char> host = text;
        int? port = defaultPort;
        int colon = text.LastIndexOf(':');
        bool bracketed = text.Length > 0 && text[0] == '[';
        int close = bracketed ? text.IndexOf(']') : -1;
        if (bracketed && close < 0)
            return false;
        if (colon > close)
        {
            host = text[..colon];
            var digits = text[(colon + 1)..];
            if (digits.IsEmpty && defaultPort is not null)
                port = defaultPort;
            else if (digits.Length is 0 or > 5 || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int parsed) || parsed is 0 or > 65535)
                return false;
            else
                port = parsed;
            if (!bracketed && host.Contains(':'))
                return false;
        }
        else if (bracketed && close != text.Length - 1)
        {
            return false;
        }

        return port is not null && TryCreate(host, port.Value, out endPoint);
    }

    public override string ToString() =>
        Address is { AddressFamily: AddressFamily.InterNetworkV6 }
            ? string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    private static bool EndsInNumber(ReadOnlySpan<char> host)
    {
        host = host.TrimEnd('.');
        var last = host[(host.LastIndexOf('.') + 1)..];
        if (last.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return !last[2..].ContainsAnyExcept(HexDigits);
        return !last.IsEmpty && !last.ContainsAnyExceptInRange('0', '9');
    }

    private static bool LooksLikeAddress(ReadOnlySpan<char> host) =>
        host.Contains(':') || (char.IsAsciiDigit(host[0]) && char.IsAsciiDigit(host[^1]));
}
