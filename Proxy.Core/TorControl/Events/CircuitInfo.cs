using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>CircStatus of control-spec.</summary>
internal enum CircuitStatus : byte
{
    /// <summary>One that we do not know; see <see cref="CircuitInfo.StatusText"/>.</summary>
    Unknown,
    Launched,
    Built,

    /// <summary>Built, but kept back until tor knows that no better guard works.</summary>
    GuardWait,
    Extended,

    /// <summary>Ended before it was built.</summary>
    Failed,

    /// <summary>Ended after it was built.</summary>
    Closed,
}

/// <summary>A circuit as CIRC, CIRC_MINOR and the lines of <c>GETINFO circuit-status</c> describe it.</summary>
internal sealed class CircuitInfo
{
    private CircuitInfo(string id, string status, IReadOnlyList<RelayName> path, ControlKeywords keywords)
    {
        Id = id;
        StatusText = status;
        Path = path;
        Keywords = keywords;
        BuildFlags = keywords.List("BUILD_FLAGS");
    }

    public string Id { get; }

    /// <summary>As tor wrote it. In CIRC_MINOR this is what happened: PURPOSE_CHANGED or CANNIBALIZED.</summary>
    public string StatusText { get; }

    public CircuitStatus Status => StatusText switch
    {
        "LAUNCHED" => CircuitStatus.Launched,
        "BUILT" => CircuitStatus.Built,
        "GUARD_WAIT" => CircuitStatus.GuardWait,
        "EXTENDED" => CircuitStatus.Extended,
        "FAILED" => CircuitStatus.Failed,
        "CLOSED" => CircuitStatus.Closed,
        _ => CircuitStatus.Unknown,
    };

    /// <summary>
    /// The hops that are open, the guard first. Of a FAILED circuit this is the part that worked: the relay that failed
    /// is not in it.
    /// </summary>
    public IReadOnlyList<RelayName> Path { get; }

    /// <summary>ONEHOP_TUNNEL, IS_INTERNAL, NEED_CAPACITY, NEED_UPTIME, …</summary>
    public IReadOnlyList<string> BuildFlags { get; }

    /// <summary>GENERAL, HS_CLIENT_REND, MEASURE_TIMEOUT, CONFLUX_LINKED, …</summary>
    public string? Purpose => Keywords["PURPOSE"];

    /// <summary>Why it ended, as we see it: TIMEOUT, DESTROYED, CHANNEL_CLOSED, NOPATH, …</summary>
    public string? Reason => Keywords["REASON"];

    /// <summary>Why it ended, as the relay that ended it says; only when it was ended from there.</summary>
    public string? RemoteReason => Keywords["REMOTE_REASON"];

    /// <summary>Bytes mapped to Latin-1.</summary>
    public string? SocksPassword => Keywords["SOCKS_PASSWORD"];

    /// <summary>32 hex digits that both legs of a conflux set share; null without conflux.</summary>
    public string? ConfluxId => Keywords["CONFLUX_ID"];

    public DateTimeOffset? TimeCreated => Keywords.Time("TIME_CREATED");

    public ControlKeywords Keywords { get; }

    /// <summary>Reads <c>id status [path] *(KEY=value)</c>; null when id or status is missing.</summary>
    public static CircuitInfo? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        if (!tokens.TryWord(out string id) || !tokens.TryWord(out string status))
            return null;
        var path = tokens.TryPositional(out string word) ? RelayName.ParsePath(word) : [];
        return new CircuitInfo(id, status, path, tokens.Keywords());
    }
}

/// <summary>CIRC: a circuit changed its status.</summary>
internal sealed class CircuitEvent(CircuitInfo circuit) : ControlEvent("CIRC", circuit.Keywords)
{
    public CircuitInfo Circuit { get; } = circuit;
}

/// <summary>CIRC_MINOR: a circuit changed in another way; see <see cref="CircuitInfo.StatusText"/>.</summary>
internal sealed class CircuitMinorEvent(CircuitInfo circuit) : ControlEvent("CIRC_MINOR", circuit.Keywords)
{
    public CircuitInfo Circuit { get; } = circuit;
}
