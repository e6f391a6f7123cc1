using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>A circuit as it is now.</summary>
internal sealed class CircuitRecord(string id)
{
    public string Id { get; } = id;

    public CircuitStatus Status { get; set; }

    public IReadOnlyList<RelayName> Path { get; set; } = [];

    public string? Purpose { get; set; }

    public string? ConfluxId { get; set; }

    public string? Password { get; set; }

    public bool IsInternal { get; set; }

    public bool WasBuilt { get; set; }

    public DateTimeOffset? Created { get; set; }

    /// <summary>Streams that ended with DESTROY before the circuit itself was said to be gone.</summary>
    public List<StreamRecord> Lost { get; } = [];

    /// <summary>Both legs of a conflux set share it.</summary>
    public string Key => ConfluxId ?? Id;

    public RelayName Exit => Path.Count == 0 ? default : Path[^1];

    /// <summary>
    /// True when its last relay is an exit that streams leave through. Circuits for onion services and for directories end
    /// at relays that nobody blames.
    /// </summary>
    public bool LeadsOut => Path.Count >= 2 && !IsInternal && (Purpose is null or "GENERAL" or "CONFLUX_LINKED");

    public void Update(CircuitInfo info)
    {
        Status = info.Status == CircuitStatus.Unknown ? Status : info.Status;
        WasBuilt |= info.Status == CircuitStatus.Built;
        if (info.Path.Count > 0)
            Path = info.Path;
        Purpose = info.Purpose ?? Purpose;
        ConfluxId = info.ConfluxId ?? ConfluxId;
        Password = info.SocksPassword ?? Password;
        Created = info.TimeCreated ?? Created;
        IsInternal |= info.BuildFlags.Contains("IS_INTERNAL");
    }
}

/// <summary>A stream as it is now.</summary>
internal sealed class StreamRecord(string id)
{
    public string Id { get; } = id;

    /// <summary>The host that was asked for, in lower case; REMAP does not change it.</summary>
    public string Destination { get; set; } = "";

    /// <summary>host:port as it was asked for.</summary>
    public string Target { get; set; } = "";

    public string? Password { get; set; }

    public int? SourcePort { get; set; }

    /// <summary>The circuit that it is on now, or null.</summary>
    public string? CircuitId { get; set; }

    /// <summary>The circuit that it was opened on; kept when tor has forgotten both.</summary>
    public CircuitRecord? Carrier { get; set; }

    public bool IsOpen { get; set; }

    /// <summary>The death of its circuit was counted.</summary>
    public bool IsCounted { get; set; }

    public bool IsOnion => Destination.EndsWith(".onion", StringComparison.Ordinal);
}
