namespace TorBalancer.Forwarding;

/// <summary>How an exchange leaves the two connections.</summary>
internal enum HttpExchangeEnd : byte
{
    /// <summary>The client may send its next request; the upstream is done with.</summary>
    Continue,

    /// <summary>As Continue, and the upstream may carry another request.</summary>
    ContinueAndKeep,

    /// <summary>The answer is complete and the last one of this connection.</summary>
    Close,

    /// <summary>An answer broke off: the client must not take it for complete.</summary>
    Abort,

    /// <summary>As Abort, and the client still sends, or has yet to take what came: it is to read that first.</summary>
    AbortWhenRead,

    /// <summary>Nobody listens.</summary>
    Gone,

    /// <summary>Both connections belong to a tunnel from here on.</summary>
    Tunnel,
}
