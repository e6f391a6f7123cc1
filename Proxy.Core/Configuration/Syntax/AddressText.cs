using System.Globalization;
using System.Net;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>Addresses as they are written, strictly: nothing here guesses, and nothing looks a name up.</summary>
internal static class AddressText
{
    /// <summary>A literal as the RFCs write it, with the interface of a link-local one.</summary>
    public static bool TryLiteral(string text, out IPAddress address) => AddressLiteral.TryParseZoned(text, out address!);

    /// <summary>A literal, or localhost, which is 127.0.0.1 here.</summary>
    public static bool TryHost(string text, out IPAddress address)
    {
        if (!text.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            return TryLiteral(text, out address);
        address = IPAddress.Loopback;
        return true;
    }

    /// <summary>
    /// host:port or [v6]:port, the host a literal or localhost. What was meant instead is <see cref="AddressDiagnosis"/>'s matter.
    /// </summary>
    public static ValueProblem? ParseIPEndPoint(string text, out IPEndPoint value)
    {
        value = null!;
        int colon = text.LastIndexOf(':');
        bool bracketed = text.StartsWith('[');
        int close = bracketed ? text.IndexOf(']') : -1;
        if (bracketed && close < 0)
            return new ValueProblem("has no closing ']'");
        if (!bracketed && text.Count(c => c == ':') > 1)
            return new ValueProblem(LooksLikeIPv6(text) ? "is an IPv6 address without brackets" : "is not an address with a port");
        if (colon <= close)
            return new ValueProblem("has no port");
        if (bracketed && colon != close + 1)
            return new ValueProblem("is not an address with a port");
        if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > 65535)
            return new ValueProblem("has no valid port");
        string host = bracketed ? text[1..close] : text[..colon];
        if (!TryHost(host, out var address) || (bracketed && !host.Contains(':')))
            return new ValueProblem("has a host that is not an IP address (names are not looked up here)");
        value = new IPEndPoint(address, port);
        return CheckZone(address);
    }

    /// <summary>An address that says nothing without the interface that it is on (RFC 4007, section 6), and has none.</summary>
    public static ValueProblem? CheckZone(IPAddress address) => address is { IsIPv6LinkLocal: true, ScopeId: 0 }
        ? new ValueProblem($"is a link-local address without an interface behind it, as in {address}%eth0", ShowAllowed: false)
        : null;

    private static bool LooksLikeIPv6(string text) =>
        text.All(static c => char.IsAsciiHexDigit(c) || c is ':' or '.') || TryLiteral(text, out _);
}
