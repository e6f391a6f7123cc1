using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>How a probe came out.</summary>
internal enum ProbeOutcome : byte
{
    Passed,
    Failed,

    /// <summary>A step could not be made for want of something of our own.</summary>
    NotMade,
}

/// <summary>What happened to one worker's health, since it is known.</summary>
internal sealed class HealthCounters
{
    private static readonly int States = Enum.GetValues<WorkerOperationalState>().Length;

    private readonly long[] _transitions = new long[States * States];
    private readonly long[] _probes = new long[Enum.GetValues<ProbeOutcome>().Length];
    private readonly long[] _failedSteps = new long[ProbeSteps.All.Count];

    public long Transitions(WorkerOperationalState from, WorkerOperationalState to) =>
        Interlocked.Read(ref _transitions[((int)from * States) + (int)to]);

    public long Probes(ProbeOutcome outcome) => Interlocked.Read(ref _probes[(int)outcome]);

    /// <summary>Probes that failed in a step, by its place in <see cref="ProbeSteps.All"/>.</summary>
    public long FailedAt(int step) => Interlocked.Read(ref _failedSteps[step]);

    public void Add(in HealthTransition transition) =>
        Interlocked.Increment(ref _transitions[((int)transition.From * States) + (int)transition.To]);

    public void Add(ProbeReport report)
    {
        var outcome = report.IsInconclusive ? ProbeOutcome.NotMade : report.Passed ? ProbeOutcome.Passed : ProbeOutcome.Failed;
        Interlocked.Increment(ref _probes[(int)outcome]);
        if (report.Failure is not { } failure)
            return;
        for (int i = 0; i < _failedSteps.Length; i++)
        {
            if (ProbeSteps.All[i] == failure.Name)
                Interlocked.Increment(ref _failedSteps[i]);
        }
    }
}
