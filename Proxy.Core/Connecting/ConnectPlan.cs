using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>Everything that was decided about a connection before the first worker is dialled; the same for all attempts.</summary>
/// <param name="Session">The session that it is of, or null.</param>
/// <param name="Route">auto: over the link of a worker that has one for this target, else by its SocksPort.</param>
internal sealed record ConnectPlan(
    ProxyRequest Request, SelectionRequest Selection, IsolationToken Token, SessionUse? Session, ClearnetRoute Route)
{
    /// <summary>Who is told of the attempts; null: nobody.</summary>
    public IAttemptWatcher? Watcher { get; init; }

    /// <summary>True when this worker is to be reached over its link. With route wireguard only workers with a link are picked.</summary>
    public bool UsesLink(WorkerModel worker) => Route switch
    {
        ClearnetRoute.Wireguard => true,
        ClearnetRoute.Auto =>
            worker.Link is { } link
                && (Request.Target.Address is not { } address || (link.Carries(address.AddressFamily) && PublicAddress.Is(address))),
        _ => false,
    };
}
