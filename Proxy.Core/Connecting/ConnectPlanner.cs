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

        string mode = ModeOf(parameters, defaultMode, owner.Rights);
        route = RouteOf(owner, isolation, route);
        var token = tokens.Create(isolation, owner, request.Target);
        bool isFresh = MayBeFresh(request, mode, token) && (isolation == IsolationMode.Connection || _recent.IsNew(token));
        return new ConnectPlan(request, SelectionOf(request, owner, mode, route, isFresh), token, session, route)
        {
            Watcher = owner.Watcher,
        };
    }

    /// <summary>
    /// The plan that <see cref="Plan"/> would make now for the same arguments. Nothing is used up by it: no use of a session is counted,
    /// and the identity is not seen.
    /// </summary>
    /// <remarks>Its token is for nobody where the next connection will have one that no other had.</remarks>
    public ConnectPlan Foresee(
        ProxyRequest request, ConnectionOwner owner, string? defaultMode, IsolationMode isolation, ClearnetRoute route)
    {
        bool isNew = isolation == IsolationMode.Connection;
        if (owner.Parameters.Session is not null)
        {
            long? epoch = sessions.Foresee(SessionKey(owner, isolation), owner.Parameters);
            owner = owner with { SessionEpoch = epoch ?? 0 };
            isNew |= epoch is null;
        }

        string mode = ModeOf(owner.Parameters, defaultMode, owner.Rights);
        route = RouteOf(owner, isolation, route);
        var token = tokens.Create(isolation, owner, request.Target);
        bool isFresh = MayBeFresh(request, mode, token) && (isNew || _recent.WouldBeNew(token));
        return new ConnectPlan(request, SelectionOf(request, owner, mode, route, isFresh), token, null, route);
    }

    /// <summary>A session pins its worker too, unless another mode is asked for in the same breath.</summary>
    /// <param name="rights">Of who asks; null: it may use any mode.</param>
    public string ModeOf(UserParameters parameters, string? defaultMode, UserRights? rights)
    {
        if (parameters.Mode is { } asked)
            return asked;
        if (parameters.Session is not null && !parameters.IsSessionImplied)
            return SelectionPolicyNames.Sticky;

        // Where the listener makes sessions, a mode of its own is the one that stands beside them.
        string inForce = defaultMode ?? (parameters.Session is null ? balancing.Value.Mode : SelectionPolicyNames.Sticky);
        return rights?.ModeOf(inForce) ?? inForce;
    }

    private ClearnetRoute RouteOf(in ConnectionOwner owner, IsolationMode isolation, ClearnetRoute route) =>
        route != ClearnetRoute.Socks && routes.Value.Isolated != IsolatedRoute.AsRouted && NeedsToken(owner, isolation)
            ? ClearnetRoute.Socks : route;

    /// <summary>An onion service's circuits are others; and where no token is sent, everybody shares.</summary>
    private static bool MayBeFresh(ProxyRequest request, string mode, IsolationToken token) =>
        WorkerSelector.LeavesChoice(mode) && !token.IsNone && !request.Target.IsOnion;

    private SelectionRequest SelectionOf(
        ProxyRequest request, in ConnectionOwner owner, string mode, ClearnetRoute route, bool isFresh) =>
        new(
            mode, mode == SelectionPolicyNames.Sticky ? StableHash.Of(owner.StickyTo ?? Key(request, owner).Text) : 0,
            owner.Parameters.Worker, owner.Parameters.Country,
            route == ClearnetRoute.Wireguard ? LinkFor(request.Target) : LinkFamilies.None, isFresh)
        {
            Choice = owner.Rights?.Choice,
        };

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

    /// <summary>What the sticky key of such a connection is made of.</summary>
    /// <returns>auto: of the session.</returns>
    public StickyBy KeyedBy(ProxyRequest request, in ConnectionOwner owner) => Key(request, owner).By;

    private (StickyBy By, string Text) Key(ProxyRequest request, in ConnectionOwner owner)
    {
        switch (balancing.Value.StickyBy)
        {
            case StickyBy.Destination:
                return (StickyBy.Destination, request.Target.Host);
            case StickyBy.Auto when owner.Parameters.Session is { } session:
                return (StickyBy.Auto, $"{owner.Parameters.BaseUser}\0{session}");
            case not StickyBy.Client when User(owner) is { } user:
                return (StickyBy.User, user);
            default:
                return (StickyBy.Client, owner.ClientAddress?.ToString() ?? "unix");
        }
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
