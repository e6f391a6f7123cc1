namespace TorBalancer.Protocols.Http;

/// <summary>How the end of a body is known (RFC 9112, section 6.3).</summary>
internal enum HttpBodyKind : byte
{
    None,
    Length,
    Chunked,

    /// <summary>Responses only: all that comes until the sender closes.</summary>
    UntilClose,
}
