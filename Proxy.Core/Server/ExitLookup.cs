using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Server;

/// <summary>
/// Which exit carries a connection, where the worker's control port tells. Asked when a connection ends or somebody looks
/// on, never while one is made.
/// </summary>
internal sealed class ExitLookup(ICircuitJoin circuits, LogOptions log)
{
    /// <summary>For the access log; null also when there is none.</summary>
    public string? Of(StreamKey? stream) => log.Access ? Find(stream) : null;

    /// <summary>
    /// <c>$FINGERPRINT~nickname</c>; null where nobody knows. A stream to an onion service has no exit: its circuit ends at
    /// a rendezvous point.
    /// </summary>
    public string? Find(StreamKey? stream)
    {
        if (stream is null || stream.Target.IsOnion)
            return null;
        return circuits.FindExit(stream.WorkerId, stream.Password, stream.LocalPort, stream.Target.ToString()) is { } found
            ? found.Exit.ToString()
            : null;
    }
}
