using System.Globalization;
using System.Net;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration;

/// <summary>What rules are made of.</summary>
internal static partial class Values
{
    public static ValueParser<List<string>> Domains { get; } =
        ListOf("names such as example.org, which stand for themselves and everything below them", new ValueParser<string>("", ParseDomain));

    public static ValueParser<List<PortRange>> Ports { get; } =
        ListOf("ports from 1 to 65535 or ranges such as 6000-7000", new ValueParser<PortRange>("", ParsePorts));

    /// <summary>[Worker:…] WgHostAddress.</summary>
    public static ValueParser<List<IPAddress>> LinkAddresses { get; } =
        ListOf("an IPv4 address, an IPv6 address, or one of each", new ValueParser<IPAddress>("", ParseAddress));

    private static ValueProblem? ParseDomain(string text, ValueContext context, out string value)
    {
        string name = text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text;
        value = "";
        if (!HostEndPoint.TryCreate(name.Trim('.'), 0, out var host, out string? problem))
        {
            if (text.Contains('/') && ParseNetwork(text, context, out _) is null)
                return new ValueProblem("is a network; that goes into Network", ShowAllowed: false);
            return DomainOf(text) is { } meant ? new ValueProblem("is not a name alone (a port goes into Port)", meant) : new ValueProblem($"is {problem}");
        }

        value = host.Host;
        return host.Address is null ? null : new ValueProblem("is an address; that goes into Network", ShowAllowed: false);
    }

    private static ValueProblem? ParsePorts(string text, ValueContext context, out PortRange value)
    {
        int dash = text.IndexOf('-');
        bool isFirst = TryPort(dash < 0 ? text : text[..dash].TrimEnd(), out int first);
        bool isLast = TryPort(dash < 0 ? text : text[(dash + 1)..].TrimStart(), out int last);
        value = new PortRange(first, last);
        if (!isFirst || !isLast)
            return new ValueProblem("is not a port or a range of ports");
        return first <= last ? null : new ValueProblem("ends before it begins");
    }

    /// <summary>The name in a URL or in host:port; null: there is none.</summary>
    private static string? DomainOf(string text)
    {
        int scheme = text.IndexOf("://", StringComparison.Ordinal);
        string rest = scheme < 0 ? text : text[(scheme + 3)..];
        string name = rest.Split('/', ':', '?', '#')[0];
        return name != text && HostEndPoint.TryCreate(name, 0, out var host) && host.Address is null ? name : null;
    }

    private static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65535;
}
