namespace TorBalancer.Protocols.Http;

/// <summary>How an error page of ours leaves the client's connection.</summary>
internal enum HttpReplyEnd : byte
{
    /// <summary>The client may send its next request.</summary>
    Continue,

    /// <summary>FIN was sent behind it.</summary>
    Close,

    /// <summary>The client does not take it.</summary>
    Gone,
}
