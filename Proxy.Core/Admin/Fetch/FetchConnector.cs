using System.Security.Cryptography;
using System.Text;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Routing;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Fetch;

/// <summary>Opens connections for fetches the way that clients' are opened, under an owner that no client can be.</summary>
internal sealed class FetchConnector(ConnectPlanner planner, RetryConnector connector, BalancingOptions balancing, RouteTable? routes = null)
{
    /// <summary>What clients send is bytes, mapped to Latin-1; U+FFFF is none of them, so no client shares a token with a fetch.</summary>
    private const string Nobody = "\uFFFFfetch";

    private static readonly ClientCredentials Credentials = new(Nobody, Nobody);

    private readonly RouteTable _routes = routes ?? new RouteTable(new RouteOptions { Clearnet = ClearnetRoute.Socks });

    /// <summary>Which way a target goes, or why it does not.</summary>
    public RouteDecision Decide(HostEndPoint target) => _routes.Decide(new ProxyRequest(ClientProtocol.Unknown, ProxyCommand.Connect, target, null));

    public ValueTask<ConnectOutcome> ConnectAsync(FetchRequest request, HostEndPoint target, CancellationToken cancellationToken) =>
        connector.ConnectAsync(Plan(request, target), cancellationToken);

    /// <summary>
    /// A sticky key is a session: one token, and one worker unless another mode is asked for. Without a key the configured
    /// isolation holds, with all fetches as one client; "none" still keeps them apart from clients.
    /// </summary>
    internal ConnectPlan Plan(FetchRequest request, HostEndPoint target)
    {
        string? session = request.StickyKey is { } key ? Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))) : null;
        var parameters = new UserParameters { BaseUser = Nobody, Session = session, Mode = request.Mode };
        var owner = new ConnectionOwner(Nobody, null, Credentials, parameters, 0);
        var isolation = balancing.Isolation == IsolationMode.None ? IsolationMode.Client : balancing.Isolation;
        var plan = planner.Plan(new ProxyRequest(ClientProtocol.Unknown, ProxyCommand.Connect, target, Credentials), owner, null, isolation, Decide(target).Route);

        // [Balancing] StickyBy is about clients; a key that was given is what a fetch sticks to, whatever it says.
        return session is not null && plan.Selection.Mode == SelectionPolicyNames.Sticky
            ? plan with { Selection = plan.Selection with { Key = StableHash.Of($"{Nobody}\0{session}") } }
            : plan;
    }
}
