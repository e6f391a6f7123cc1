using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>ORStatus of control-spec.</summary>
internal enum OrConnStatus : byte
{
    Unknown,
    New,
    Launched,
    Connected,

    /// <summary>Never was open.</summary>
    Failed,
    Closed,
}

/// <summary>
/// ORCONN: a connection to a relay (for a client: to its guard) changed its status. Also a line of <c>GETINFO orconn-status</c>.
/// </summary>
internal sealed class OrConnEvent : ControlEvent
{
    private OrConnEvent(string target, string status, ControlKeywords keywords)
        : base("ORCONN", keywords)
    {
        Target = target;
        StatusText = status;
    }

    /// <summary>As tor wrote it: a relay, or an address with a port while the relay's identity is not known.</summary>
    public string Target { get; }

    /// <summary>The relay, or null when only its address is known.</summary>
    public RelayName? Relay => Target.StartsWith('$') ? RelayName.Parse(Target) : null;

    public string StatusText { get; }

    public OrConnStatus Status => StatusText switch
    {
        "NEW" => OrConnStatus.New,
        "LAUNCHED" => OrConnStatus.Launched,
        "CONNECTED" => OrConnStatus.Connected,
        "FAILED" => OrConnStatus.Failed,
        "CLOSED" => OrConnStatus.Closed,
        _ => OrConnStatus.Unknown,
    };

    /// <summary>DONE, CONNECTREFUSED, IDENTITY, CONNECTRESET, TIMEOUT, NOROUTE, IOERROR, TLS_ERROR, …; on FAILED and CLOSED.</summary>
    public string? Reason => Keywords["REASON"];

    public static OrConnEvent? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        return tokens.TryWord(out string target) && tokens.TryWord(out string status)
            ? new OrConnEvent(target, status, tokens.Keywords())
            : null;
    }
}
