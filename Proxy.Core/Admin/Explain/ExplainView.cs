using System.Text.Json.Serialization;

namespace TorBalancer.Admin.Explain;

/// <summary>
/// What would become of the next connection: GET /api/v1/explain. Member names in JSON are these in snake_case and are contract.
/// </summary>
internal sealed record ExplainView
{
    /// <summary>As it was read.</summary>
    public required string Target { get; init; }

    /// <summary>The listener that it would come by.</summary>
    public required string Listener { get; init; }

    /// <summary>The port that is its session, of a listener whose ports are; null: of another one.</summary>
    public int? Port { get; init; }

    /// <summary>The address that it would come from.</summary>
    public required string Client { get; init; }

    /// <summary>socks, wireguard, auto (each worker: its link, else its SocksPort) or reject.</summary>
    public required string Route { get; init; }

    /// <summary>The name of the [Rule:…] that decided; null: none did.</summary>
    public string? Rule { get; init; }

    /// <summary>What decided the route, in words.</summary>
    public required string RouteWhy { get; init; }

    /// <summary>Why no worker would be dialled; null: one would be.</summary>
    public ExplainErrorView? Error { get; init; }

    /// <summary>The balancing mode in force.</summary>
    public required string Mode { get; init; }

    /// <summary>Who asks for it: request (mode= of the question), user, session, listener or pool.</summary>
    public required string ModeFrom { get; init; }

    /// <summary>The isolation in force: client, user, destination, connection or none.</summary>
    public required string Isolation { get; init; }

    /// <summary>
    /// listener, client, user, session, destination, connection: two connections that differ in one of these never share a circuit. Empty:
    /// all share.
    /// </summary>
    public required IReadOnlyList<string> KeptApartBy { get; init; }

    /// <summary>The session that the user name asks for; null: none.</summary>
    public string? Session { get; init; }

    /// <summary>What the sticky key is made of: session, user, client or destination; null in other modes.</summary>
    public string? StickyBy { get; init; }

    /// <summary>The key's hash, 16 hexadecimal digits; null in other modes.</summary>
    public string? StickyKey { get; init; }

    /// <summary>True for a new identity, for which workers with a clean circuit are preferred.</summary>
    public required bool Fresh { get; init; }

    /// <summary>True when no worker is available and all that are not drained are tried.</summary>
    public required bool LastResort { get; init; }

    /// <summary>All workers in the order of the file; none when the route leads nowhere.</summary>
    public required IReadOnlyList<ExplainCandidateView> Candidates { get; init; }

    /// <summary>The worker that is certain; null where chance decides, or none would be dialled.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public required string? Chosen { get; init; }
}

/// <summary>Why no worker would be dialled.</summary>
/// <param name="Cause">As in the log.</param>
/// <param name="Message">For people.</param>
internal sealed record ExplainErrorView(string Cause, string Message);

/// <summary>What the next selection makes of one worker.</summary>
internal sealed record ExplainCandidateView
{
    public required string Worker { get; init; }

    /// <summary>It may be picked, whether or not it is likely.</summary>
    public required bool Eligible { get; init; }

    /// <summary>Its state, or what speaks against it, in words.</summary>
    public required string Why { get; init; }

    /// <summary>How likely it is, 0 to 1; exactly 1 or 0 where nothing is left to chance.</summary>
    public required double Odds { get; init; }

    /// <summary>The way to it: socks or wireguard.</summary>
    public required string Route { get; init; }

    /// <summary>HEALTHY, SUSPECT, DEAD or RECOVERY.</summary>
    public required string State { get; init; }

    /// <summary>enabled, draining or leaving.</summary>
    public required string Administrative { get; init; }

    public required int Weight { get; init; }

    /// <summary>Connections being dialled and being carried.</summary>
    public required int Connections { get; init; }

    /// <summary>Moving average from dial to connected, milliseconds; null before the first.</summary>
    public double? ConnectMs { get; init; }

    /// <summary>Clean circuits for new identities; null: nobody keeps count.</summary>
    public int? CleanCircuits { get; init; }
}
