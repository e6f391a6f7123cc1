using TorBalancer.TorControl.Relays;

namespace TorBalancer.Admin;

/// <summary>One attempt of a connection, in the order in which they began.</summary>
internal sealed record AttemptView
{
    /// <summary>The worker that was dialled.</summary>
    public required string Worker { get; init; }

    /// <summary>socks or wireguard.</summary>
    public required string Route { get; init; }

    /// <summary>under_way, succeeded, failed or given_up (another was faster, or the client left).</summary>
    public required string Outcome { get; init; }

    /// <summary>Why it failed, as in the log; null when it did not.</summary>
    public string? Cause { get; init; }

    /// <summary>The same for people; null when there is nothing to add.</summary>
    public string? Message { get; init; }

    /// <summary>From when the connection was accepted until it began, milliseconds.</summary>
    public required long BeganMs { get; init; }

    /// <summary>How long it took, milliseconds; null while it is under way and when it was given up.</summary>
    public long? TookMs { get; init; }
}

/// <summary>The circuit that carries a connection, as the worker's control port tells.</summary>
/// <param name="Id">tor's number of it; one leg where two carry it.</param>
/// <param name="Conflux">The set of the legs; null without conflux.</param>
/// <param name="Path">Relays as $FINGERPRINT~nickname, the guard first.</param>
internal sealed record CircuitView(string Id, string? Conflux, IReadOnlyList<string> Path)
{
    public static CircuitView From(CircuitExit circuit) =>
        new(circuit.CircuitId, circuit.ConfluxId, [.. circuit.Path.Select(static relay => relay.ToString())]);
}

/// <summary>A live connection, or one that ended lately: GET and DELETE /api/v1/connections/{id}.</summary>
internal sealed record ConnectionDetailView
{
    /// <summary>As in the log: c123.</summary>
    public required string Id { get; init; }

    /// <summary>handshake, connecting, open or ended.</summary>
    public required string State { get; init; }

    /// <summary>The listener that it came by.</summary>
    public required string Listener { get; init; }

    /// <summary>What the client speaks; unknown until it has said something.</summary>
    public required string Protocol { get; init; }

    /// <summary>Redacted as in the access log; null before the request.</summary>
    public string? Target { get; init; }

    /// <summary>The worker that carries it, is being dialled, or was tried last; null before the first.</summary>
    public string? Worker { get; init; }

    /// <summary>The way to that worker: socks or wireguard.</summary>
    public string? Route { get; init; }

    /// <summary>Those of the latest request.</summary>
    public required IReadOnlyList<AttemptView> Attempts { get; init; }

    /// <summary>The circuit; null where the worker does not tell.</summary>
    public CircuitView? Circuit { get; init; }

    /// <summary>$FINGERPRINT~nickname of the relay that it leaves by; null where the worker does not tell, and to onion services.</summary>
    public string? Exit { get; init; }

    /// <summary>Why it failed, as in the log; ok: it did not.</summary>
    public required string Cause { get; init; }

    /// <summary>The same for people; null when there is nothing to add.</summary>
    public string? Message { get; init; }

    /// <summary>How its tunnel ended, as in the log; null while it goes on, and without one.</summary>
    public string? End { get; init; }

    /// <summary>When it was accepted, in UTC.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>From the request's end to the worker's answer, milliseconds; null before it, and for requests in absolute form.</summary>
    public long? ConnectMs { get; init; }

    /// <summary>Since it was accepted, until it ended or now, milliseconds.</summary>
    public required long AgeMs { get; init; }

    /// <summary>Since it ended, milliseconds; null while it lives.</summary>
    public long? EndedMsAgo { get; init; }

    /// <summary>Bytes from the client.</summary>
    public required long BytesSent { get; init; }

    /// <summary>Bytes to the client.</summary>
    public required long BytesReceived { get; init; }
}
