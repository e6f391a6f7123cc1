using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>Dials a worker the way that a plan takes it: at its SocksPort, or over its WireGuard link.</summary>
internal sealed class StreamDialer(WorkerDialer socks, LinkDialer link)
{
    /// <inheritdoc cref="WorkerDialer.DialAsync"/>
    public ValueTask<DialResult> DialAsync(
        ConnectPlan plan, WorkerModel worker, IsolationToken token, TimeSpan timeout, CancellationToken cancellationToken) =>
        plan.UsesLink(worker)
            ? link.DialAsync(worker, plan.Request.Target, token, timeout, cancellationToken)
            : socks.DialAsync(worker, plan.Request.Command, plan.Request.Target, token, timeout, cancellationToken);
}
