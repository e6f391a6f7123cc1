using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Routing;

/// <summary>
/// What may be asked for: AllowTargets and DenyTargets of one section. Deny goes first. An address within which another is carried
/// (NAT64, 6to4) is denied with that one, too.
/// </summary>
internal sealed class TargetRules
{
    private readonly Entry[] _deny;
    private readonly Entry[] _allow;
    private readonly string _notAllowed;

    private TargetRules(string section, IEnumerable<TargetPattern> allow, IEnumerable<TargetPattern> deny)
    {
        _allow = [.. allow.Select(pattern => new Entry(pattern, ""))];
        _deny = [.. deny.Select(pattern => new Entry(pattern, $"[{section}] DenyTargets has {pattern.Text}"))];
        _notAllowed = $"[{section}] AllowTargets does not have this target";
    }

    /// <summary>Null: nothing is forbidden.</summary>
    /// <param name="section">Whose keys they are, for messages.</param>
    public static TargetRules? Of(string section, IList<TargetPattern> allow, IList<TargetPattern> deny) =>
        allow.Count + deny.Count == 0 ? null : new TargetRules(section, allow, deny);

    /// <summary>Why it may not be asked for; no error: it may.</summary>
    /// <param name="isStream">False for a question about a host, which names no port.</param>
    public ProxyError Check(HostEndPoint target, bool isStream)
    {
        if (CheckDenied(target, isStream) is { IsError: true } denied)
            return denied;
        if (_allow.Length == 0)
            return default;
        foreach (var entry in _allow)
        {
            // Where only some ports of a host are allowed, its address may be asked for.
            if (entry.Has(target, target.Address) && entry.HasPort(target, isStream, otherwise: true))
                return default;
        }

        return new ProxyError(FailureCause.RouteRejected, _notAllowed);
    }

    /// <summary>The same by DenyTargets alone: for a name that only its client says is the target's.</summary>
    public ProxyError CheckDenied(HostEndPoint target, bool isStream)
    {
        var carried = target.Address is { } address ? PublicAddress.CarriedBy(address) : null;
        foreach (var entry in _deny)
        {
            if (entry.Has(target, target.Address) ? entry.HasPort(target, isStream, otherwise: false)
                : carried is not null && entry.Has(target, carried) && entry.HasPort(target, isStream, otherwise: false))
                return new ProxyError(FailureCause.RouteRejected, entry.Detail);
        }

        return default;
    }

    /// <param name="detail">What is said where it denies.</param>
    private sealed class Entry(TargetPattern pattern, string detail)
    {
        public string Detail => detail;

        public bool HasPort(HostEndPoint target, bool isStream, bool otherwise) =>
            isStream ? pattern.Ports.Contains(target.Port) : pattern.Ports == TargetPattern.EveryPort || otherwise;

        public bool Has(HostEndPoint target, IPAddress? address) => pattern.Scope switch
        {
            TargetScope.Any => true,
            TargetScope.Network => address is not null && pattern.Network.BaseAddress.AddressFamily == address.AddressFamily
                && pattern.Network.Contains(address),
            _ when address is not null => false,
            TargetScope.Name => target.Host == pattern.Host,
            TargetScope.Domain => HostName.IsWithin(target.Host, pattern.Host),
            _ => target.Host.Length > pattern.Host.Length && HostName.IsWithin(target.Host, pattern.Host),
        };
    }
}
