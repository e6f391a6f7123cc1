using System.Net;
using System.Net.Sockets;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>Turns a request and its owner into a plan: mode, sticky key, restrictions, isolation token.</summary>
internal sealed class ConnectPlanner(
    Live<BalancingOptions> balancing, IsolationTokenFactory tokens, SessionTable sessions, Live<RouteOptions> routes)
{
    private readonly RecentTokens _recent = new();

    /// <param name="defaultMode">The mode of who asks for none of its own; null: the pool's.</param>
    /// <param name="isolation">The isolation in force.</param>
    /// <param name="route">What the rules say.</param>
    public ConnectPlan Plan(
        ProxyRequest request, ConnectionOwner owner, string? defaultMode, IsolationMode isolation,
        ClearnetRoute route)
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
        string mode = parameters.Mode
            ?? (parameters.Session is not null ? SelectionPolicyNames.Sticky : defaultMode ?? balancing.Value.Mode);
        if (route != ClearnetRoute.Socks && routes.Value.Isolated != IsolatedRoute.AsRouted && NeedsToken(owner, isolation))
            route = ClearnetRoute.Socks;
        var token = tokens.Create(isolation, owner, request.Target);

        // An onion service's circuits are others; and where no token is sent, everybody shares.
        bool isFresh = WorkerSelector.LeavesChoice(mode) && !token.IsNone && !request.Target.IsOnion
            && (isolation == IsolationMode.Connection || _recent.IsNew(token));
        ulong key = mode == SelectionPolicyNames.Sticky ? StickyKey(request, owner) : 0;
        return new ConnectPlan(
            request,
            new SelectionRequest(
                mode, key, parameters.Worker, parameters.Country,
                route == ClearnetRoute.Wireguard ? LinkFor(request.Target) : LinkFamilies.None, isFresh),
            token,
            session,
            route);
    }

    /// <summary>
    /// On a link tor sees one address for all of us and no token. So whatever a token is to keep apart stays with SOCKS: users,
    /// connections, destinations, sessions, anybody who sends credentials, and clients on other machines. Clients of this
    /// machine without credentials are one client to tor anyhow.
    /// </summary>
    private static bool NeedsToken(in ConnectionOwner owner, IsolationMode isolation) => isolation switch
    {
        IsolationMode.None => owner.Parameters.Session is not null,
        IsolationMode.Client => owner.Parameters.Session is not null || owner.Credentials is not null || owner.Isolation is not null
            || (owner.ClientAddress is { } address && !IPAddress.IsLoopback(address)),
        _ => true,
    };

    private static LinkFamilies LinkFor(HostEndPoint target) => target.Address?.AddressFamily switch
    {
        AddressFamily.InterNetwork => LinkFamilies.IPv4,
        AddressFamily.InterNetworkV6 => LinkFamilies.IPv6,
        _ => LinkFamilies.Any,
    };

    private ulong StickyKey(ProxyRequest request, in ConnectionOwner owner)
    {
        string client = owner.ClientAddress?.ToString() ?? "unix";
        string? user = User(owner);
        return StableHash.Of(owner.StickyTo ?? balancing.Value.StickyBy switch
        {
            StickyBy.User => user ?? client,
            StickyBy.Client => client,
            StickyBy.Destination => request.Target.Host,
            _ when owner.Parameters.Session is { } session => $"{owner.Parameters.BaseUser}\0{session}",
            _ => user ?? client,
        });
    }

    /// <summary>
    /// Who a connection is of, beside its address; null: nobody says. A name that only isolates says nothing without the rest.
    /// </summary>
    private static string? User(in ConnectionOwner owner)
    {
        string? user = owner.Credentials?.User is { Length: > 0 } name ? name : null;
        if (owner.Parameters.IsIsolationOnly)
            user = $"{user}\0{owner.Credentials!.Password}";
        return owner.Isolation is { } isolation ? $"{user}\0{isolation}" : user;
    }

    private static string SessionKey(in ConnectionOwner owner, IsolationMode isolation)
    {
        string reach = isolation is IsolationMode.User or IsolationMode.None ? "" : $"{owner.Listener}\0{owner.ClientAddress}";
        return $"{reach}\0{Field(owner.Parameters.BaseUser)}\0{Field(owner.Parameters.SecretOf(owner.Credentials))}"
            + $"\0{owner.Parameters.Session}" + (owner.Isolation is null ? "" : "\0" + Field(owner.Isolation));
    }

    /// <summary>
    /// What a client sends may hold the NUL that parts the fields; everything else stays as it is, because life-times follow from the key.
    /// </summary>
    private static string? Field(string? text) =>
        text.AsSpan().ContainsAny('\0', '\u0001')
            ? text!.Replace("\u0001", "\u0001\u0001", StringComparison.Ordinal).Replace("\0", "\u0001.", StringComparison.Ordinal)
            : text;
}
