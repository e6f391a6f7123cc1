using System.Globalization;
using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>What rules are made of.</summary>
internal static partial class Values
{
    public static ValueParser<List<string>> Domains { get; } =
        ListOf("names such as example.org, which stand for themselves and everything below them",
            new ValueParser<string>("", ParseDomain, IsFree: true));

    public static ValueParser<List<PortRange>> Ports { get; } =
        ListOf("ports from 1 to 65535 or ranges such as 6000-7000", new ValueParser<PortRange>("", ParsePorts));

    /// <summary>[Worker:…] WgHostAddress.</summary>
    public static ValueParser<List<IPAddress>> LinkAddresses { get; } =
        ListOf("an IPv4 address, an IPv6 address, or one of each", new ValueParser<IPAddress>("", ParseAddress));

    private static ValueProblem? ParseDomain(string text, ValueContext context, out string value)
    {
        string name = text.StartsWith("*.", StringComparison.Ordinal) ? text[2..] : text.StartsWith('.') ? text[1..] : text;
        value = "";
        if (!HostEndPoint.TryCreate(name, 0, out var host, out string? problem))
            return OfDomain(text, context, problem!);
        value = host.Host;
        return host.Address is null ? null : new ValueProblem("is an address; that goes into Network", ShowAllowed: false);
    }

    private static ValueProblem OfDomain(string text, ValueContext context, string problem)
    {
        if (text.Contains('/') && ParseNetwork(text, context, out _) is null)
            return new ValueProblem("is a network; that goes into Network", ShowAllowed: false);
        if (DomainOf(text) is { } meant)
            return new ValueProblem("is not a name alone (a port goes into Port)", meant);
        if (text is "*" or "*." or "*.*" or ".")
            return new ValueProblem("stands for every name; what no rule decides is for [Route] Clearnet", ShowAllowed: false);
        if (text.Contains('*'))
            return new ValueProblem("has a *; a name stands for everything below it already", text.TrimStart('*', '.'));
        if (text.Any(static c => c > 0x7f))
            return new ValueProblem("is a name beyond ASCII; write its A-labels, xn--… (RFC 5890)");
        return new ValueProblem($"is no host name: {problem}", text.Trim('.'));
    }

    private static ValueProblem? ParsePorts(string text, ValueContext context, out PortRange value)
    {
        int dash = text.IndexOf('-');
        bool isFirst = TryPort(dash < 0 ? text : text[..dash].TrimEnd(), out int first);
        bool isLast = TryPort(dash < 0 ? text : text[(dash + 1)..].TrimStart(), out int last);
        value = new PortRange(first, last);
        if (!isFirst || !isLast)
            return new ValueProblem("is not a port or a range of ports", PortsMeant(text));
        return first <= last ? null : new ValueProblem("ends before it begins");
    }

    /// <summary>80:90 and 80.. as ranges, and the names of services that a proxy is asked for; null: no idea.</summary>
    private static string? PortsMeant(string text)
    {
        (string Name, string Port)[] services =
        [
            ("http", "80"), ("https", "443"), ("ssh", "22"), ("smtp", "25"), ("ftp", "21"),
            ("imaps", "993"), ("dns", "53"), ("domain", "53"),
        ];
        if (Array.Find(services, service => service.Name.Equals(text, StringComparison.OrdinalIgnoreCase)).Port is { } port)
            return port;
        if (text is "*" or "any" or "all")
            return "1-65535";
        string[] ends = text.Split([':', '-', '.', '\u2013'], StringSplitOptions.TrimEntries);
        if (ends.Length < 2)
            return null;
        string first = ends[0].Length == 0 ? "1" : ends[0], last = ends[^1].Length == 0 ? "65535" : ends[^1];
        return ends[1..^1].All(static middle => middle.Length == 0) && TryPort(first, out _) && TryPort(last, out _)
            && (ends[0].Length > 0 || ends[^1].Length > 0)
            ? $"{first}-{last}" : null;
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
