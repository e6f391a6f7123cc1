using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>STATUS_CLIENT, STATUS_GENERAL or STATUS_SERVER: tor says how it fares. Arguments are the keywords.</summary>
internal sealed class StatusEvent : ControlEvent
{
    private StatusEvent(string name, string severity, string action, ControlKeywords keywords)
        : base(name, keywords)
    {
        Severity = severity;
        Action = action;
    }

    /// <summary>NOTICE, WARN or ERR.</summary>
    public string Severity { get; }

    /// <summary>BOOTSTRAP, CIRCUIT_NOT_ESTABLISHED, CLOCK_SKEW, DANGEROUS_SOCKS, …</summary>
    public string Action { get; }

    /// <summary>The argument REASON, which many actions have.</summary>
    public string? Reason => Keywords["REASON"];

    public static StatusEvent? TryParse(string name, string text)
    {
        var tokens = new ControlTokens(text);
        return tokens.TryWord(out string severity) && tokens.TryWord(out string action)
            ? new StatusEvent(name, severity, action, tokens.Keywords())
            : null;
    }
}

/// <summary>NETWORK_LIVENESS: whether tor believes that the network can be reached at all.</summary>
internal sealed class NetworkLivenessEvent : ControlEvent
{
    private NetworkLivenessEvent(bool isUp, ControlKeywords keywords)
        : base("NETWORK_LIVENESS", keywords)
        => IsUp = isUp;

    public bool IsUp { get; }

    public static NetworkLivenessEvent? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        tokens.TryWord(out string state);
        return state is "UP" or "DOWN" ? new NetworkLivenessEvent(state == "UP", tokens.Keywords()) : null;
    }
}

/// <summary>BUILDTIMEOUT_SET: tor changed how long it lets a circuit take.</summary>
internal sealed class BuildTimeoutEvent : ControlEvent
{
    private BuildTimeoutEvent(string type, ControlKeywords keywords)
        : base("BUILDTIMEOUT_SET", keywords)
        => Type = type;

    /// <summary>COMPUTED, RESET, SUSPENDED, DISCARD or RESUME.</summary>
    public string Type { get; }

    /// <summary>The new limit; null when tor does not say.</summary>
    public TimeSpan? Timeout =>
        Keywords.Integer("TIMEOUT_MS") is >= 0 and <= int.MaxValue and long ms ? TimeSpan.FromMilliseconds(ms) : null;

    public static BuildTimeoutEvent? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        return tokens.TryWord(out string type) ? new BuildTimeoutEvent(type, tokens.Keywords()) : null;
    }
}
