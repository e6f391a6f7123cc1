using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>A failure that waits until the uplink has been looked at.</summary>
/// <param name="Episode">The worker's episode in which it happened.</param>
internal readonly record struct HeldFailure(MonitoredWorker Worker, HealthSignal Signal, long Episode);

/// <summary>
/// Whether anybody may be declared dead. Not while our own way to the network seems to be away, which would only make the outage
/// longer: because all workers fail at once, which they do not by themselves, or because no address of the operator's choice can be
/// reached. Not thread-safe: used under the monitor's lock.
/// </summary>
/// <remarks>
/// A tor on this machine that does not even answer on its port is plainly gone, whatever the uplink does; such failures
/// are no sign of it, nor is a WireGuard interface that is not there. A failed circuit is, and so is a worker elsewhere that cannot be
/// reached. Which causes say so stands in <see cref="FailureCauses"/>.
/// </remarks>
internal sealed class UplinkFreeze(Live<TimeSpan> window)
{
    /// <summary>Fewer workers than these that fail are no sign of anything else.</summary>
    private const int Least = 2;

    /// <summary>More failures than these within one check add nothing.</summary>
    private const int MaxHeld = 64;

    private readonly List<HeldFailure> _held = [];
    private bool _allFail;

    /// <summary>Nobody may be declared dead.</summary>
    public bool IsFrozen => _allFail || IsUplinkDown;

    /// <summary>No address of [Health] Connectivity could be reached while a worker failed.</summary>
    public bool IsUplinkDown { get; private set; }

    public static bool MayBeUplink(WorkerState worker, FailureCause cause) => cause.Info().Uplink switch
    {
        UplinkSuspicion.Any => true,
        UplinkSuspicion.WorkerElsewhere => !IsLocal(worker),
        _ => false,
    };

    public static bool MayBeUplink(WorkerState worker, ProbeReport report) =>
        !report.IsUnreachable || (!IsLocal(worker) && report.Failure is not { Name: ProbeSteps.Link });

    /// <summary>Keeps a failure until the addresses have been tried.</summary>
    public void Hold(in HeldFailure failure)
    {
        if (_held.Count < MaxHeld)
            _held.Add(failure);
    }

    /// <summary>The addresses have been tried. Gives what was held, which is to be counted now.</summary>
    public HeldFailure[] Judged(bool isUp)
    {
        HeldFailure[] held = [.. _held];
        _held.Clear();

        // Nothing fails: then it is the addresses that are away, and nobody is in danger.
        IsUplinkDown = !isUp && (IsUplinkDown || held.Length > 0);
        return held;
    }

    /// <summary>After a failure. True when it froze just now.</summary>
    /// <param name="all">Every worker that health knows and the operator has enabled.</param>
    public bool Failed(IEnumerable<MonitoredWorker> all, TimeSpan now)
    {
        if (_allFail)
            return false;
        int count = 0;
        foreach (var one in all)
        {
            bool failed = one.UplinkFailure is { } at && now - at <= window.Value;
            var state = one.State;

            // Who has been out of service for longer than the window says nothing about what happens now.
            bool isOut = state.Operational is WorkerOperationalState.Dead or WorkerOperationalState.Recovery;
            if (isOut && (!failed || state.IsStarting || now - state.Since > window.Value))
                continue;
            if (!failed)
                return false;
            count++;
        }

        bool was = IsFrozen;
        _allFail = count >= Least;
        return _allFail && !was;
    }

    /// <summary>After a success. True when it thawed just now.</summary>
    public bool Succeeded()
    {
        bool was = IsFrozen;
        _allFail = IsUplinkDown = false;
        return was;
    }

    private static bool IsLocal(WorkerState worker) => worker.Model.SocksEndPoint is not IPEndPoint ip || IPAddress.IsLoopback(ip.Address);
}
