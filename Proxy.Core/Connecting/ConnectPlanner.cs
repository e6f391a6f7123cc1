using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Protocols;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>Turns a request and its owner into a plan: mode, sticky key, restrictions, isolation token.</summary>
internal sealed class ConnectPlanner(BalancingOptions balancing, IsolationTokenFactory tokens, SessionTable sessions)
{
    /// <param name="listenerMode">The listener's mode, or null for the pool's.</param>
    /// <param name="isolation">The isolation in force on the listener.</param>
    public ConnectPlan Plan(ProxyRequest request, ConnectionOwner owner, string? listenerMode, IsolationMode isolation)
    {
        var parameters = owner.Parameters;
        SessionUse? session = null;
        if (parameters.Session is not null)
        {
            var use = sessions.Use(SessionKey(owner, isolation), parameters);
            owner = owner with { SessionEpoch = use.Epoch };
            session = use;
        }

        // A session pins its worker too, unless another mode is asked for in the same breath.
        string mode = parameters.Mode ?? (parameters.Session is not null ? SelectionPolicyNames.Sticky : listenerMode ?? balancing.Mode);
        ulong key = mode == SelectionPolicyNames.Sticky ? StickyKey(request, owner) : 0;
        return new ConnectPlan(
            request,
            new SelectionRequest(mode, key, parameters.Worker, parameters.Country),
            tokens.Create(isolation, owner, request.Target),
            session);
    }

    private ulong StickyKey(ProxyRequest request, in ConnectionOwner owner)
    {
        string client = owner.ClientAddress?.ToString() ?? "unix";
        string? user = owner.Credentials?.User is { Length: > 0 } name ? name : null;
        return StableHash.Of(balancing.StickyBy switch
        {
            StickyBy.User => user ?? client,
            StickyBy.Client => client,
            StickyBy.Destination => request.Target.Host.TrimEnd('.').ToLowerInvariant(),
            _ when owner.Parameters.Session is { } session => $"{owner.Parameters.BaseUser}\0{session}",
            _ => user ?? client,
        });
    }

    private static string SessionKey(in ConnectionOwner owner, IsolationMode isolation)
    {
        string reach = isolation is IsolationMode.User or IsolationMode.None ? "" : $"{owner.Listener}\0{owner.ClientAddress}";
        return $"{reach}\0{owner.Parameters.BaseUser}\0{owner.Parameters.SecretOf(owner.Credentials)}\0{owner.Parameters.Session}";
    }
}
