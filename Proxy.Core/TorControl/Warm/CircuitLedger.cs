using System.Globalization;
using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Warm;

/// <summary>What one event changed.</summary>
[Flags]
internal enum LedgerChange : byte
{
    None = 0,

    /// <summary>A circuit got its first stream: somebody needed a fresh one.</summary>
    Consumed = 1,

    /// <summary>One of ours was built.</summary>
    Built = 2,

    /// <summary>One of ours ended before it was built.</summary>
    Failed = 4,

    /// <summary>A circuit that was clean is gone, unused.</summary>
    Lost = 8,

    /// <summary>A clean circuit got a health probe as its first stream.</summary>
    Probed = 16,

    /// <summary>One of ours was torn down by others as soon as it was built.</summary>
    TornDown = 32,
}

/// <summary>
/// The circuits of one tor that streams leave through: which are clean, which of ours are being built, and what became of those that
/// we asked for. Kept by CIRC, CIRC_MINOR and STREAM events. Not for several threads.
/// </summary>
/// <param name="account">Where those that we asked for are counted.</param>
internal sealed class CircuitLedger(TimeProvider time, WarmAccount account)
{
    /// <summary>One that lasted longer served its time: relays restart, and links end.</summary>
    private static readonly TimeSpan TornDownSoon = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Circuits of one tor that are followed; past them new ones are not, so that memory stays bounded. Those that were used stay open for
    /// ten minutes: at 25 a second these are 15,000.
    /// </summary>
    internal const int MaxCircuits = 16_384;

    /// <summary>As many may end between a reply and our learning of it: all of a guard that went away.</summary>
    private const int MaxEnded = 1024;

    /// <summary>
    /// LongLivedPorts of tor(1): their streams take circuits of stable relays only, which cannot be asked for, so that nothing is to be
    /// built ahead for them.
    /// </summary>
    private static readonly HashSet<int> LongLivedPorts = [21, 22, 706, 1863, 5050, 5190, 5222, 5223, 6523, 6667, 6697, 8300];

    private readonly Dictionary<string, LedgerEntry> _circuits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<LedgerEntry>> _sets = new(StringComparer.Ordinal);

    // A reply and the events around it are taken in by two tasks: a circuit may be gone before we know that it is ours.
    private readonly Queue<string> _ended = new();
    private readonly int[] _counts = new int[(int)LedgerPlace.Building + 1];

    /// <summary>Circuits, or sets of two, that the next identity may take.</summary>
    public int Clean => _counts[(int)LedgerPlace.Clean] + ((_counts[(int)LedgerPlace.CleanLeg] + 1) / 2);

    /// <summary>Ours that are under construction.</summary>
    public int Building => _counts[(int)LedgerPlace.Building];

    public BuildTimes BuildTimes { get; } = new();

    /// <summary>Starts over with what GETINFO circuit-status and stream-status say; what is known of their circuits stays known.</summary>
    public void Load(IEnumerable<string> circuits, IEnumerable<string> streams)
    {
        var known = new Dictionary<string, LedgerEntry>(_circuits, StringComparer.Ordinal);
        Clear();
        foreach (string line in circuits)
        {
            if (_circuits.Count >= MaxCircuits || CircuitInfo.TryParse(line) is not { } info)
                continue;
            known.Remove(info.Id, out var entry);
            entry = entry?.Again() ?? new LedgerEntry(info.Id);

            // Whoever's it is may have had it for long.
            entry.IsUsed |= info is { SocksPassword: not null, Status: CircuitStatus.Built };
            Update(entry, info);
            if (!entry.LeadsOut)
                Remove(entry);
        }

        // Nobody has said how these ended.
        foreach (var gone in known.Values.Where(static entry => entry.IsOurs && !entry.IsUsed))
            CountEnd(gone);
        foreach (string line in streams)
        {
            if (StreamInfo.TryParse(line) is { CircuitId: { } circuit } && _circuits.TryGetValue(circuit, out var entry))
                Use(entry);
        }
    }

    /// <summary>Another process may answer next. Ours are counted by how far they had come.</summary>
    public void Disconnect()
    {
        foreach (var gone in _circuits.Values.Where(static entry => entry.IsOurs && !entry.IsUsed))
            CountEnd(gone);
        Clear();
        _ended.Clear();
    }

    /// <summary>
    /// tor has told the id of one that we asked for; its first events may have come before that, and what they meant is the result.
    /// </summary>
    public LedgerChange Ask(string id)
    {
        account.CountLaunched();
        if (_ended.Contains(id))
        {
            account.CountFailed();
            return LedgerChange.Failed;
        }

        if (!_circuits.TryGetValue(id, out var entry))
            _circuits.Add(id, entry = new LedgerEntry(id));
        entry.IsOurs = true;
        entry.Launched ??= time.GetTimestamp();
        if (entry.IsUsed)
            account.CountUsed();
        Place(entry);
        return entry.IsBuilt ? LedgerChange.Built : LedgerChange.None;
    }

    public LedgerChange Observe(ControlEvent message) => message switch
    {
        CircuitEvent { Circuit: var info } when info.Status is CircuitStatus.Failed or CircuitStatus.Closed => End(info),
        CircuitEvent { Circuit: var info } => Changed(info),
        CircuitMinorEvent { Circuit: var info } when _circuits.ContainsKey(info.Id) => Changed(info),
        StreamEvent { Stream: { CircuitId: { } circuit, Status: StreamStatus.SentConnect or StreamStatus.SentResolve } stream }
            when _circuits.TryGetValue(circuit, out var entry) => Use(entry) ? MeaningOf(stream, entry) : LedgerChange.None,
        _ => LedgerChange.None,
    };

    private LedgerChange Changed(CircuitInfo info)
    {
        if (!_circuits.TryGetValue(info.Id, out var entry))
        {
            if (_circuits.Count >= MaxCircuits)
                return LedgerChange.None;
            entry = new LedgerEntry(info.Id);
            if (info.Status == CircuitStatus.Launched)
                entry.Launched = time.GetTimestamp();
        }

        bool wasBuilt = entry.IsBuilt, wasClean = entry.IsClean;
        Update(entry, info);
        if (!entry.LeadsOut)
        {
            // tor has put it to another use, or never meant it for streams.
            Remove(entry);
            return Ended(entry, wasClean);
        }

        if (wasBuilt || !entry.IsBuilt)
            return LedgerChange.None;
        entry.Built = time.GetTimestamp();
        if (entry is { Launched: { } launched, ConfluxId: null })
            BuildTimes.Add(time.GetElapsedTime(launched));
        return entry.IsOurs ? LedgerChange.Built : LedgerChange.None;
    }

    private LedgerChange End(CircuitInfo info)
    {
        if (_ended.Count == MaxEnded)
            _ended.Dequeue();
        _ended.Enqueue(info.Id);
        if (!_circuits.TryGetValue(info.Id, out var entry))
            return LedgerChange.None;
        bool wasClean = entry.IsClean;
        Remove(entry);
        var change = Ended(entry, wasClean);
        return change == LedgerChange.Lost && entry.IsOurs && WasTornDown(entry, info) ? change | LedgerChange.TornDown : change;
    }

    /// <summary>By a relay, or with the link to the guard; what tor closes itself has FINISHED, IP_NOW_REDUNDANT or REQUESTED.</summary>
    private bool WasTornDown(LedgerEntry entry, CircuitInfo info) =>
        entry.Built is { } built && time.GetElapsedTime(built) <= TornDownSoon
            && info.Reason is "DESTROYED" or "CHANNEL_CLOSED" or "TORPROTOCOL";

    private LedgerChange Ended(LedgerEntry entry, bool wasClean)
    {
        if (!entry.IsOurs || entry.IsUsed)
            return wasClean ? LedgerChange.Lost : LedgerChange.None;
        CountEnd(entry);
        return entry.IsBuilt ? LedgerChange.Lost : LedgerChange.Failed;
    }

    private void CountEnd(LedgerEntry entry)
    {
        if (entry.IsBuilt)
            account.CountUnused();
        else
            account.CountFailed();
    }

    private void Update(LedgerEntry entry, CircuitInfo info)
    {
        bool wasInSet = entry.ConfluxId is not null;
        entry.Update(info);
        _circuits[entry.Id] = entry;
        if (!wasInSet && entry.ConfluxId is { } set)
        {
            if (!_sets.TryGetValue(set, out var legs))
                _sets.Add(set, legs = []);
            legs.Add(entry);

            // Whichever of them was told of first.
            bool isUsed = legs.Exists(static leg => leg.IsUsed), isReserved = legs.Exists(static leg => leg.IsReserved);
            foreach (var leg in legs)
            {
                leg.IsUsed |= isUsed;
                leg.IsReserved |= isReserved;
                Place(leg);
            }

            return;
        }

        Place(entry);
    }

    /// <summary>True for the first stream of a circuit or set.</summary>
    private bool Use(LedgerEntry entry)
    {
        if (entry.IsUsed || !entry.LeadsOut)
            return false;
        if (entry.ConfluxId is { } set && _sets.TryGetValue(set, out var legs))
            legs.ForEach(MarkUsed);
        else
            MarkUsed(entry);
        return true;
    }

    private void MarkUsed(LedgerEntry entry)
    {
        if (entry.IsOurs && !entry.IsUsed)
            account.CountUsed();
        entry.IsUsed = true;
        Place(entry);
    }

    private void Remove(LedgerEntry entry)
    {
        _counts[(int)entry.Place]--;
        _circuits.Remove(entry.Id);
        if (entry.ConfluxId is { } set && _sets.TryGetValue(set, out var legs) && legs.Remove(entry) && legs.Count == 0)
            _sets.Remove(set);
    }

    /// <summary>Counts it where it belongs now, and no longer where it did.</summary>
    private void Place(LedgerEntry entry)
    {
        _counts[(int)entry.Place]--;
        entry.Place = entry switch
        {
            { IsClean: true, ConfluxId: null } => LedgerPlace.Clean,
            { IsClean: true } => LedgerPlace.CleanLeg,
            { IsOurs: true, IsBuilt: false, IsReserved: false } => LedgerPlace.Building,
            _ => LedgerPlace.Other,
        };
        _counts[(int)entry.Place]++;
    }

    private void Clear()
    {
        _circuits.Clear();
        _sets.Clear();
        Array.Clear(_counts);
    }

    /// <summary>What it means that this stream took a fresh circuit: a probe that tor built one for took none that was there.</summary>
    private static LedgerChange MeaningOf(StreamInfo stream, LedgerEntry entry) =>
        ProbeToken.Is(stream.SocksPassword) ? entry is { IsReserved: true, IsOurs: false } ? LedgerChange.None : LedgerChange.Probed
        : IsLongLived(stream) ? LedgerChange.None : LedgerChange.Consumed;

    private static bool IsLongLived(StreamInfo stream) =>
        int.TryParse(
            stream.Target.AsSpan(stream.Target.LastIndexOf(':') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
         && LongLivedPorts.Contains(port);
}
