using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;
using TorBalancer.Routing;

namespace TorBalancer.Connecting;

/// <summary>
/// Opens streams, for clients and for fetches alike: decides the route, plans, and connects through one worker or another.
/// </summary>
internal sealed class StreamOpener(RouteTable routes, ConnectPlanner planner, RetryConnector connector)
{
    /// <summary>
    /// What <see cref="OpenAsync"/> would do first for the same arguments: the way and the plan, which is null where the way leads nowhere.
    /// Nothing is used up by it.
    /// </summary>
    public (RouteDecision Way, ConnectPlan? Plan) Foresee(
        ProxyRequest request, in ConnectionOwner owner, string? mode, IsolationMode isolation)
    {
        var decision = Decide(request, owner);
        return (decision, decision.IsReject ? null : planner.Foresee(request, owner, mode, isolation, decision.Route));
    }

    /// <summary>Throws <see cref="OperationCanceledException"/> only when the token is cancelled: nobody waits any more.</summary>
    /// <param name="owner">Who it is for.</param>
    /// <param name="mode">The balancing mode unless the owner asks for another; null: the pool's.</param>
    /// <param name="isolation">What is kept apart.</param>
    public ValueTask<ConnectOutcome> OpenAsync(
        ProxyRequest request, in ConnectionOwner owner, string? mode, IsolationMode isolation, CancellationToken cancellationToken)
    {
        var decision = Decide(request, owner);
        return decision.IsReject
            ? ValueTask.FromResult(ConnectOutcome.Rejected(decision.Error))
            : connector.ConnectAsync(planner.Plan(request, owner, mode, isolation, decision.Route), cancellationToken);
    }

    private RouteDecision Decide(ProxyRequest request, in ConnectionOwner owner) =>
        owner.Rights?.Check(owner.Parameters) is { IsError: true } denied
            ? new RouteDecision(ClearnetRoute.Socks, denied)
            : routes.Decide(request, owner.Targets);
}
