using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>When a worker is probed next; pure.</summary>
internal static class ProbeSchedule
{
    /// <summary>Real traffic lets this many intervals pass between probes.</summary>
    private const int SlowFactor = 3;

    /// <summary>A suspect worker is probed this much faster; nothing asks for probes closer than that.</summary>
    private const int FastFactor = 4;

    /// <param name="lastEnd">When its last probe ended; when it was never probed, when its loop began minus nothing.</param>
    /// <param name="lastTraffic">When a real connection last got through.</param>
    /// <param name="interval">CheckInterval, with this round's jitter.</param>
    /// <returns>When, on the monitor's clock; null: not until something changes.</returns>
    public static TimeSpan? Next(
        in WorkerHealthState state, bool wantsCanary, TimeSpan lastEnd, TimeSpan? lastTraffic, TimeSpan now, TimeSpan interval)
    {
        if (state.IsStarting)
            return null;
        if (state.Operational is WorkerOperationalState.Recovery or WorkerOperationalState.Dead)
            return state.NextAttempt;
        if (wantsCanary || state.Operational == WorkerOperationalState.Suspect)
            return lastEnd + (interval / FastFactor);

        // Postponed interval by interval, as long as traffic says what a probe would.
        var due = lastEnd + interval;
        var latest = lastEnd + (interval * SlowFactor);
        while (due < latest && lastTraffic is { } traffic && traffic >= due - interval && traffic <= now && due <= now)
            due += interval;
        return due;
    }
}
