namespace TorBalancer.Protocols;

/// <summary>How a client's side is to end, when nothing else of the connection is held any more.</summary>
internal enum ClientFarewell : byte
{
    /// <summary>Closed at once.</summary>
    None,

    /// <summary>Reset at once.</summary>
    Abort,

    /// <summary>FIN; closed when the client has read its answer.</summary>
    Finish,

    /// <summary>The answer was cut: reset, but not before the client has read what came of it.</summary>
    Reset,
}
