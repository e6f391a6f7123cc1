namespace TorBalancer.Primitives;

/// <summary>
/// What proves that a worker is gone. Silence does not: a process that is paused, overloaded or out of descriptors takes
/// nothing new and carries on what it has. Nor does a network of ours that is away.
/// </summary>
public enum GoneProof : byte
{
    /// <summary>Nothing is proven: it was silent, closed the connection, or only the network behind it fails.</summary>
    None,

    /// <summary>It answers: what was thought before is refuted.</summary>
    Alive,

    /// <summary>Its host says that nothing listens on its port.</summary>
    Refused,

    /// <summary>Its host cannot be reached.</summary>
    Unreachable,

    /// <summary>The WireGuard interface towards it is not there or down.</summary>
    LinkDown,
}
