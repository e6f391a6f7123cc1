using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Events;

/// <summary>What GUARD says of a relay.</summary>
internal enum GuardStatus : byte
{
    Unknown,
    New,
    Dropped,
    Up,
    Down,
    Bad,
    Good,

    /// <summary>A second-layer guard of an onion service was given up.</summary>
    BadLayer2,
}

/// <summary>GUARD: the set of guards, or what tor thinks of one, changed.</summary>
internal sealed class GuardEvent : ControlEvent
{
    private GuardEvent(string type, RelayName relay, string status, ControlKeywords keywords)
        : base("GUARD", keywords)
    {
        Type = type;
        Relay = relay;
        StatusText = status;
    }

    /// <summary>ENTRY.</summary>
    public string Type { get; }

    public RelayName Relay { get; }

    public string StatusText { get; }

    public GuardStatus Status => StatusText switch
    {
        "NEW" => GuardStatus.New,
        "DROPPED" => GuardStatus.Dropped,
        "UP" => GuardStatus.Up,
        "DOWN" => GuardStatus.Down,
        "BAD" => GuardStatus.Bad,
        "GOOD" => GuardStatus.Good,
        "BAD_L2" => GuardStatus.BadLayer2,
        _ => GuardStatus.Unknown,
    };

    public static GuardEvent? TryParse(string text)
    {
        var tokens = new ControlTokens(text);
        return tokens.TryWord(out string type) && tokens.TryWord(out string name) && tokens.TryWord(out string status)
            ? new GuardEvent(type, RelayName.Parse(name), status, tokens.Keywords())
            : null;
    }
}
