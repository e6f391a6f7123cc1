using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>What a rule says.</summary>
public enum RuleRoute : byte
{
    Auto,
    Socks,
    Wireguard,

    /// <summary>The connection is refused.</summary>
    Reject,
}

/// <summary>[Rule:name]: the route of certain targets. All of the conditions that are given must hold.</summary>
public sealed class RuleOptions
{
    /// <summary>The part after the colon of the section name.</summary>
    public required string Name { get; init; }

    /// <summary>The name itself and everything below it; lower case, no dot at either end.</summary>
    public IList<string> Domains { get; } = [];

    public IList<PortRange> Ports { get; } = [];

    /// <summary>For addresses that clients ask for; a name is never looked up for it.</summary>
    public IList<IPNetwork> Networks { get; } = [];

    /// <summary>Null: not given, which is an error.</summary>
    public RuleRoute? Route { get; set; }
}

/// <summary>Ports from First to Last, both included.</summary>
public readonly record struct PortRange(int First, int Last)
{
    public bool Contains(int port) => port >= First && port <= Last;
}
