using TorBalancer.Configuration.Options;
using TorBalancer.Routing;

namespace TorBalancer.Server.Naming;

/// <summary>
/// Whose the name server's clients are: the first transparent listener's, because it is where they will connect. So a name is looked up
/// under the same isolation token as its connection, and what is denied there is not looked up either.
/// </summary>
/// <param name="Listener">Its name; <c>dns</c> where there is none.</param>
/// <param name="Isolation">What keeps its clients apart.</param>
/// <param name="Targets">What they may ask for; null: anything.</param>
internal sealed record DnsOwner(string Listener, IsolationMode Isolation, TargetRules? Targets)
{
    public static DnsOwner Of(TorBalancerOptions options)
    {
        var listener = options.Listeners.FirstOrDefault(static one => one.Protocols.HasFlag(ListenerProtocols.Transparent));
        return listener is null
            ? new DnsOwner("dns", options.Balancing.Isolation, null)
            : new DnsOwner(
                listener.Name, listener.Isolation ?? options.Balancing.Isolation,
                TargetRules.Of($"Listener:{listener.Name}", listener.AllowTargets, listener.DenyTargets));
    }
}
