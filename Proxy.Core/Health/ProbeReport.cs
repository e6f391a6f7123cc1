using TorBalancer.Primitives;

namespace TorBalancer.Health;

/// <summary>How one step of a probe ended.</summary>
public enum ProbeStepResult : byte
{
    Passed,
    Failed,

    /// <summary>Not configured for this worker, or a step before it failed.</summary>
    Skipped,
}

/// <summary>One step of a probe.</summary>
/// <param name="Name">host, link, reconnect, socks, paths, circuit, onion or control.</param>
/// <param name="Detail">Why it failed or was skipped, or what it saw; for people.</param>
public sealed record ProbeStep(string Name, ProbeStepResult Result, string Detail)
{
    /// <summary>What it proves of the worker beyond having failed.</summary>
    internal GoneProof Proof { get; init; }

    /// <summary>It could not be made for want of something of our own; see <see cref="OwnLack"/>.</summary>
    internal bool IsOurLack { get; init; }
}

/// <summary>Where a step puts down what it proves, besides its result; nothing is proven until one does.</summary>
internal sealed class StepProof
{
    public GoneProof Value { get; set; }
}

/// <summary>One probe sequence of one worker.</summary>
/// <param name="Steps">In the order in which they were made.</param>
public sealed record ProbeReport(IReadOnlyList<ProbeStep> Steps)
{
    /// <summary>True when all steps were made that could be, and none failed.</summary>
    public bool Passed => Steps.All(static step => step.Result != ProbeStepResult.Failed && !step.IsOurLack);

    /// <summary>It says nothing of the worker: a step could not be made, for which it is not to blame.</summary>
    internal bool IsInconclusive => Failure is null && !Passed;

    /// <summary>The first step that failed, or null.</summary>
    public ProbeStep? Failure => Steps.FirstOrDefault(static step => step.Result == ProbeStepResult.Failed);

    /// <summary>True when the worker did not even answer on its SocksPort (or its host not at all, or its link is down).</summary>
    public bool IsUnreachable => Failure is { Name: ProbeSteps.Host or ProbeSteps.Link or ProbeSteps.Socks };

    /// <summary>What it proves of the worker's process and host: a later step is made only by one that greets.</summary>
    internal GoneProof Proof => Failure switch
    {
        null => IsInconclusive ? GoneProof.None : GoneProof.Alive,
        { Name: ProbeSteps.Host or ProbeSteps.Link or ProbeSteps.Socks } failed => failed.Proof,
        { Name: ProbeSteps.Paths or ProbeSteps.Circuit or ProbeSteps.Onion or ProbeSteps.Control } => GoneProof.Alive,
        _ => GoneProof.None,
    };
}

/// <summary>The names of the steps; contract, as the API and the log show them.</summary>
internal static class ProbeSteps
{
    public const string Host = "host";
    public const string Link = "link";
    public const string Reconnect = "reconnect";
    public const string Socks = "socks";
    public const string Paths = "paths";
    public const string Circuit = "circuit";
    public const string Onion = "onion";
    public const string Control = "control";

    /// <summary>All of them, in the order in which they are made.</summary>
    public static IReadOnlyList<string> All { get; } = [Host, Link, Reconnect, Socks, Paths, Circuit, Onion, Control];
}

/// <summary>Makes one complete probe of a worker.</summary>
internal interface IProbeSequence
{
    /// <summary>Never throws for what the network or the worker does; only when it is cancelled.</summary>
    /// <param name="inRecovery">The worker is out of service: its ReconnectCommand may be run.</param>
    Task<ProbeReport> RunAsync(Workers.WorkerState worker, bool inRecovery, CancellationToken cancellationToken);
}
