using TorBalancer.Primitives;

namespace TorBalancer.Health;

/// <summary>What may happen to a worker, as the state machine sees it.</summary>
internal enum HealthSignalKind : byte
{
    /// <summary>A real connection got through.</summary>
    TrafficSucceeded,

    /// <summary>A real connection failed by the worker's own fault.</summary>
    TrafficFailed,

    /// <summary>A real connection failed and nobody knows whose fault it was.</summary>
    TrafficAmbiguous,

    /// <summary>A complete probe sequence passed.</summary>
    ProbePassed,

    ProbeFailed,

    /// <summary>The moment that the record asked for has come.</summary>
    Timer,

    /// <summary>The operator forces it back into service.</summary>
    Enable,

    /// <summary>The process of a managed worker is gone; its supervisor starts it again.</summary>
    ProcessDown,

    /// <summary>The process of a managed worker runs and cannot carry streams yet.</summary>
    ProcessStarting,

    /// <summary>The process of a managed worker can carry streams.</summary>
    ProcessReady,
}

/// <param name="Reason">For people; why it failed.</param>
/// <param name="IsFrozen">All workers fail at once: nobody is declared dead.</param>
/// <param name="Proof">What it proves of the worker's process or host, beyond that it takes nothing new.</param>
internal readonly record struct HealthSignal(
    HealthSignalKind Kind, string Reason = "", bool IsFrozen = false, GoneProof Proof = GoneProof.None);
