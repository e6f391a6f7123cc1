using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>What AllowTargets and DenyTargets are made of.</summary>
internal static partial class Values
{
    //  *:25                     every host, this port; also *:6000-7000
    //  10.0.0.0/8, 192.0.2.1    addresses, each with or without a port: 10.0.0.0/8:22, [2001:db8::/32]:443
    //  example.com              this name alone
    //  .example.com             the name and everything below it
    //  *.example.com            everything below it
    public static ValueParser<List<TargetPattern>> Targets { get; } = ListOf(
        "names (example.com; .example.com with all below it; *.example.com below it only), networks or *, each with a port or a range "
            + "behind a colon, or without (* never): *:25, 10.0.0.0/8, .example.com:443",
        new ValueParser<TargetPattern>("", ParseTarget, IsFree: true));

    private static ValueProblem? ParseTarget(string text, ValueContext context, out TargetPattern value)
    {
        value = null!;
        if (!TrySplitTarget(text, out string host, out string port))
            return new ValueProblem("is no host with a port");
        var ports = TargetPattern.EveryPort;
        if (port is not ("" or "*") && ParsePorts(port, context, out ports) is { } wrong)
            return wrong with { Suggestion = wrong.Suggestion is { } meant ? $"{text[..^port.Length]}{meant}" : null };
        if (host == "*")
        {
            value = new TargetPattern(text, TargetScope.Any, "", default, ports);
            return ports == TargetPattern.EveryPort ? new ValueProblem("stands for every target", ShowAllowed: true) : null;
        }

        if (host.Contains('/') || host.Contains(':') || AddressText.TryLiteral(host, out _))
        {
            var problem = ParseNetwork(host, context, out var network);
            value = new TargetPattern(text, TargetScope.Network, "", network, ports);
            return problem is null ? null : problem with { Suggestion = null };
        }

        var scope = host.StartsWith("*.", StringComparison.Ordinal) ? TargetScope.Below
            : host.StartsWith('.') ? TargetScope.Domain : TargetScope.Name;
        string name = scope switch { TargetScope.Below => host[2..], TargetScope.Domain => host[1..], _ => host };
        if (!HostEndPoint.TryCreate(name, 0, out var target, out string? why))
            return new ValueProblem($"is no host name: {why}");
        if (target.Address is not null || target.IsNumber)
            return new ValueProblem("ends in a number and is no name; an address is written as four decimal numbers", ShowAllowed: false);
        value = new TargetPattern(text, scope, target.Host, default, ports);
        return null;
    }

    /// <summary>An IPv6 address has colons of its own: with a port it stands in brackets.</summary>
    private static bool TrySplitTarget(string text, out string host, out string port)
    {
        (host, port) = (text, "");
        if (text.StartsWith('['))
        {
            int close = text.IndexOf(']');
            if (close < 0 || (close + 1 < text.Length && text[close + 1] != ':'))
                return false;
            (host, port) = (text[1..close], close + 1 < text.Length ? text[(close + 2)..] : "");
            return host.Contains(':') && (close + 1 == text.Length || port.Length > 0);
        }

        int colon = text.IndexOf(':');
        if (colon < 0 || colon != text.LastIndexOf(':'))
            return text.Length > 0;
        (host, port) = (text[..colon], text[(colon + 1)..]);
        return host.Length > 0 && port.Length > 0;
    }
}
