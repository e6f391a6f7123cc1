using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Warm;

/// <summary>Where a circuit is counted.</summary>
internal enum LedgerPlace : byte
{
    Other,
    Clean,

    /// <summary>Half of a clean set.</summary>
    CleanLeg,
    Building,
}

/// <summary>One circuit that streams may leave through, as the ledger has it.</summary>
internal sealed class LedgerEntry(string id)
{
    private const int LeastHops = 3;

    private string? _purpose;
    private bool _isInternal;
    private int _hops;

    public string Id { get; } = id;

    /// <summary>When it was launched, a timestamp; null: before we looked.</summary>
    public long? Launched { get; set; }

    /// <summary>When it was built, a timestamp; null: not yet, or before we looked.</summary>
    public long? Built { get; set; }

    /// <summary>True for one that we asked for.</summary>
    public bool IsOurs { get; set; }

    public bool IsBuilt { get; private set; }

    /// <summary>A stream is or was on it, or on the other leg of its set.</summary>
    public bool IsUsed { get; set; }

    /// <summary>
    /// tor builds it for somebody's stream, whose credentials it carries from its first hop on (circuit_get_open_circ_or_launch of
    /// circuituse.c). Should that stream leave before, tor gives the circuit to anybody and says so in no event: then it is clean, and
    /// counted as that when it is listed anew.
    /// </summary>
    public bool IsReserved { get; set; }

    /// <summary>Both legs of a conflux set share it.</summary>
    public string? ConfluxId { get; private set; }

    /// <summary>Whether a stream could ever leave through it.</summary>
    public bool LeadsOut => !_isInternal && _purpose is null or "GENERAL" or "CONFLUX_LINKED" or "CONFLUX_UNLINKED";

    /// <summary>A leg that is not linked yet cannot be used, and one that is stands for half of a set.</summary>
    public bool IsClean => IsBuilt && !IsUsed && !IsReserved && LeadsOut && _hops >= LeastHops && _purpose != "CONFLUX_UNLINKED";

    public LedgerPlace Place { get; set; }

    /// <summary>The same circuit, before it is told of anew.</summary>
    public LedgerEntry Again() => new(Id) { Launched = Launched, Built = Built, IsOurs = IsOurs, IsUsed = IsUsed };

    public void Update(CircuitInfo info)
    {
        _purpose = info.Purpose ?? _purpose;
        _isInternal |= info.BuildFlags.Contains("IS_INTERNAL") || info.BuildFlags.Contains("ONEHOP_TUNNEL");
        _hops = Math.Max(_hops, info.Path.Count);
        ConfluxId = info.ConfluxId ?? ConfluxId;
        IsBuilt |= info.Status == CircuitStatus.Built;

        IsReserved |= info.SocksPassword is not null;
    }
}
