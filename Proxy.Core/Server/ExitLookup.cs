using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Server;

/// <summary>
/// Which exit carries a connection, where the worker's control port tells. Asked when a connection ends or somebody looks
/// on; while one is made only for a client that wants to know.
/// </summary>
internal sealed class ExitLookup(ICircuitJoin circuits, Live<LogOptions> log)
{
    private const int Looks = 20;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(10);

    /// <summary>For the access log, and views of connections that have ended; null also when there is no log.</summary>
    public CircuitExit? Of(StreamKey? stream) => log.Value.Access && stream is not { Target.IsOnion: true } ? FindCircuit(stream) : null;

    /// <summary>The circuit that carries a stream; null where nobody knows.</summary>
    public CircuitExit? FindCircuit(StreamKey? stream) =>
        stream is null ? null : circuits.FindExit(stream.WorkerId, stream.Password, stream.LocalPort, stream.Target.ToString());

    /// <summary>
    /// For a client that has been waiting for its connection: <c>$FINGERPRINT~nickname</c>, <c>none</c> of an onion service,
    /// <c>unknown</c> where nobody knows. tor tells of a stream on two connections at once, so the news may be a moment late.
    /// </summary>
    public async ValueTask<string> FindSoonAsync(StreamKey? stream, TimeProvider time, CancellationToken cancellationToken)
    {
        if (stream is { Target.IsOnion: true })
            return "none";
        if (stream is null)
            return "unknown";
        for (int i = 0; i < Looks; i++)
        {
            if (Find(stream) is { } exit)
                return exit;
            await Task.Delay(BetweenLooks, time, cancellationToken);
        }

        return "unknown";
    }

    /// <summary>
    /// <c>$FINGERPRINT~nickname</c>; null where nobody knows. A stream to an onion service has no exit: its circuit ends at
    /// a rendezvous point.
    /// </summary>
    public string? Find(StreamKey? stream) => stream is { Target.IsOnion: true } ? null : FindCircuit(stream)?.Exit.ToString();
}
