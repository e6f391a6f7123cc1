using System.Net;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// All workers at once do not fail by themselves: then it is our own way to the network, and declaring everybody dead
/// would only make the outage longer. Not thread-safe: used under the monitor's lock.
/// </summary>
/// <remarks>
/// A tor on this machine that does not even answer on its port is plainly gone, whatever the uplink does; such failures
/// are no sign of it, nor is a WireGuard interface that is not there. A failed circuit is, and so is a worker elsewhere that cannot be reached.
/// </remarks>
internal sealed class UplinkFreeze(TimeSpan window)
{
    private const int Least = 2;

    public bool IsFrozen { get; private set; }

    public static bool MayBeUplink(WorkerState worker, FailureCause cause) => cause switch
    {
        FailureCause.WorkerRefused or FailureCause.WorkerProtocol or FailureCause.WorkerAuthRejected or FailureCause.LinkDown => false,
        FailureCause.WorkerUnreachable or FailureCause.WorkerTimeout or FailureCause.WorkerClosed => !IsLocal(worker),
        _ => true,
    };

    public static bool MayBeUplink(WorkerState worker, ProbeReport report) =>
        !report.IsUnreachable || (!IsLocal(worker) && report.Failure is not { Name: ProbeSteps.Link });

    /// <summary>After a failure. True when it froze just now.</summary>
    /// <param name="all">Every worker that health knows and the operator has enabled.</param>
    public bool Failed(IEnumerable<WorkerHealth> all, TimeSpan now)
    {
        if (IsFrozen)
            return false;
        int count = 0;
        foreach (var one in all)
        {
            bool failed = one.UplinkFailure is { } at && now - at <= window;

            // Who has been out of service for longer than the window says nothing about what happens now.
            if (one.Record.State is WorkerOperationalState.Dead or WorkerOperationalState.Recovery && (!failed || one.Record.IsStarting || now - one.Record.Since > window))
                continue;
            if (!failed)
                return false;
            count++;
        }

        IsFrozen = count >= Least;
        return IsFrozen;
    }

    /// <summary>After a success. True when it thawed just now.</summary>
    public bool Succeeded()
    {
        bool was = IsFrozen;
        IsFrozen = false;
        return was;
    }

    private static bool IsLocal(WorkerState worker) => worker.Model.SocksEndPoint is not IPEndPoint ip || IPAddress.IsLoopback(ip.Address);
}
