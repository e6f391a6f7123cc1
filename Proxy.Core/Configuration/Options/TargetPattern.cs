using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>Which hosts a <see cref="TargetPattern"/> is about.</summary>
public enum TargetScope : byte
{
    /// <summary>All of them.</summary>
    Any,

    /// <summary>A name.</summary>
    Name,

    /// <summary>A name and everything below it.</summary>
    Domain,

    /// <summary>Everything below a name.</summary>
    Below,

    /// <summary>The addresses of a network; a name is never looked up for it.</summary>
    Network,
}

/// <summary>One item of AllowTargets and DenyTargets: hosts, and the ports of them.</summary>
/// <param name="Text">As it was written.</param>
/// <param name="Scope">Which hosts.</param>
/// <param name="Host">In canonical form; empty where it is no name.</param>
/// <param name="Network">For <see cref="TargetScope.Network"/>.</param>
/// <param name="Ports"><see cref="EveryPort"/>: a request that names none is meant as well.</param>
public sealed record TargetPattern(string Text, TargetScope Scope, string Host, IPNetwork Network, PortRange Ports)
{
    /// <summary>No port is given.</summary>
    public static PortRange EveryPort => new(0, 65535);
}
