using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Dials worker after worker until one succeeds, the failure is one that another worker would not mend, or attempts,
/// budget or time run out. Nothing has been told to the client yet, so moving on is safe.
/// </summary>
internal sealed class RetryConnector(
    WorkerSelector selector, StreamDialer dialer, RetryPolicy policy, ICircuitEpochs epochs, StreamAccounting accounting,
    DescriptorBudget descriptors, TimeProvider time)
{
    /// <summary>Throws <see cref="OperationCanceledException"/> only when the token is cancelled: nobody waits any more.</summary>
    public ValueTask<ConnectOutcome> ConnectAsync(ConnectPlan plan, CancellationToken cancellationToken)
    {
        policy.Budget.CountConnection();
        var run = new ConnectRun(plan, selector, dialer, policy, epochs, accounting, time);
        return policy.Hedge.For(plan.Request.Target) is { } delay
            ? new HedgedConnect(run, delay, time, descriptors, accounting.Counters).RunAsync(cancellationToken)
            : OneAfterTheOtherAsync(run, cancellationToken);
    }

    private static async ValueTask<ConnectOutcome> OneAfterTheOtherAsync(ConnectRun run, CancellationToken cancellationToken)
    {
        while (run.TryStart(out var start))
        {
            // What AttemptAsync does, without a method of its own that waits: this is every connection's way.
            DialResult result;
            try
            {
                result = await run.DialAsync(start, cancellationToken);
            }
            catch
            {
                start.Lease.Dispose();
                throw;
            }

            var attempt = run.Ended(start, result);
            if (attempt.Succeeded)
                return run.Won(attempt);
            if (!run.MayRetryAfter(attempt))
                break;
        }

        return run.Lost();
    }
}
