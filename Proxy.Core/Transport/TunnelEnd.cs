namespace TorBalancer.Transport;

/// <summary>Why a tunnel ended.</summary>
public enum TunnelEnd : byte
{
    /// <summary>Both sides finished (FIN each way).</summary>
    Finished,

    /// <summary>The client's side was reset or broke.</summary>
    ClientReset,

    /// <summary>The worker's side was reset or broke.</summary>
    UpstreamReset,

    /// <summary>
    /// The worker's side had finished and then took nothing more of what the client still sends (RFC 9112, section 9.6): the
    /// client has the whole answer.
    /// </summary>
    UpstreamClosed,

    /// <summary>No byte either way for the idle limit.</summary>
    IdleTimeout,

    /// <summary>The daemon is stopping and the drain time is over.</summary>
    Drained,

    /// <summary>Ended on request.</summary>
    Aborted,

    /// <summary>Its worker's process or host is gone; the client had better reconnect than hang.</summary>
    WorkerGone,
}
