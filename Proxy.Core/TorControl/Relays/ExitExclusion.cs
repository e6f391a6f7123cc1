using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Which exits one worker avoids: from what streams say of exits to tor's ExcludeExitNodes. <c>Observe</c> takes events and waits for
/// nothing; everything that sends commands is called by the one maintenance loop. Thread-safe.
/// </summary>
internal sealed partial class ExitExclusion(
    string workerId, Live<BlacklistOptions> options, CircuitTable table, ExclusionMemory memory, RelayWatchTiming timing, TimeProvider time,
    ILogger logger)
{
    /// <summary>Failures come in bursts: one change of options for all of them.</summary>
    private static readonly TimeSpan BatchWait = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan RestoreTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Evidence comes again, so what does not fit is left out.</summary>
    private const int MaxPending = 256;

    private readonly Lock _lock = new();

    // Under the lock.
    private readonly ExitEvidence _evidence = new(time, options.Select(static one => one.FailureThreshold));
    private readonly GlobalBrake _brake = new(time);
    private readonly Queue<Finding> _pending = new();

    private readonly ExcludeNodesApplier _applier = new(time, timing.MinChangeInterval, timing.Jitter, memory);

    // Of the maintenance loop.
    private ExitConsensus _consensus = ExitConsensus.Empty;
    private volatile bool _consensusIsStale = true;
    private long _consensusTaken;

    /// <summary>How many exits this tor may choose from where they are not all of the network's (one country's); null: not known.</summary>
    public Func<int?> Choice { get; init; } = static () => null;

    /// <summary>Why no exit may be blamed now; null: exits may be.</summary>
    public string? BrakeReason
    {
        get
        {
            lock (_lock)
                return _brake.Reason();
        }
    }

    /// <summary>What tor last said of the network.</summary>
    public bool IsNetworkLive
    {
        get
        {
            lock (_lock)
                return _brake.IsNetworkLive;
        }
    }

    /// <summary>The exits that are avoided now.</summary>
    public RelayBlacklist Blacklist { get; } = new(options, time);

    /// <summary>The same, for people.</summary>
    public IReadOnlyList<BlacklistView> Views
    {
        get
        {
            var entries = Blacklist.Entries;
            bool inForce = !_applier.Differs([.. entries.Select(static entry => entry.Relay.Fingerprint)]);
            return
            [
                .. entries.Select(entry => new BlacklistView
                {
                    WorkerId = workerId,
                    Fingerprint = entry.Relay.Fingerprint,
                    Nickname = entry.Relay.Nickname,
                    Why = Why(entry.Evidence),
                    Evidence = entry.Evidence,
                    Since = entry.Since,
                    Until = entry.Until,
                    IsInForce = inForce,
                }),
            ];
        }
    }

    private bool Excludes => options.Value.Relays == "exits";

    private string[] Listed => [.. Blacklist.Entries.Select(static entry => entry.Relay.Fingerprint)];

    /// <summary>Where nothing is to be avoided, only what we have put there is a reason to touch tor's option.</summary>
    private bool IsDirty => (Excludes || _applier.IsInForce) && _applier.Differs(Listed);

    /// <summary>The time until something is due without an event; null: nothing is.</summary>
    public TimeSpan? UntilDue
    {
        get
        {
            var due = Blacklist.UntilNextExpiry();
            if (IsDirty && _applier.UntilAllowed is var allowed && (due is null || allowed < due))
                due = allowed;
            return due;
        }
    }

    public void SetLiveness(bool isLive)
    {
        lock (_lock)
            _brake.SetLiveness(isLive);
    }

    /// <summary>Takes in one event and what it says about exits. True when maintenance has work.</summary>
    public bool Observe(ControlEvent message, List<StreamVerdict> verdicts)
    {
        List<RelayName>? carried = null;
        bool hasWork = false, noPathByUs;
        lock (_lock)
        {
            noPathByUs = Observe_NeedsLock(message);
            foreach (var verdict in verdicts)
            {
                _brake.Stream(verdict);
                if (verdict.Fault == StreamFault.None)
                {
                    _evidence.Succeeded(verdict.Exit);
                    if (Blacklist.Contains(verdict.Exit.Fingerprint))
                        (carried ??= []).Add(verdict.Exit);
                }
                else if (Excludes && _evidence.Failed(verdict) is { } evidence && _pending.Count < MaxPending)
                {
                    _pending.Enqueue(new Finding(verdict.Exit, evidence));
                    hasWork = true;
                }
            }
        }

        if (message is ConfChangedEvent changed)
        {
            _applier.Changed(changed);
            hasWork = true;
        }

        if (noPathByUs && Blacklist.Clear())
        {
            Log.ListEmptied(logger, workerId);
            hasWork = true;
        }

        foreach (var relay in carried ?? [])
        {
            if (!Blacklist.Remove(relay.Fingerprint))
                continue;
            Log.RelayRemoved(logger, workerId, relay.ToString(), "it carried a stream");
            hasWork = true;
        }

        return hasWork;
    }

    /// <summary>Takes an exit off the list on request, or all of them; tor is told by the maintenance loop. How many that were.</summary>
    /// <param name="fingerprint">Null: all.</param>
    public int Forgive(string? fingerprint)
    {
        int removed = 0;
        foreach (var entry in Blacklist.Entries)
        {
            if ((fingerprint is not null && entry.Relay.Fingerprint != fingerprint) || !Blacklist.Remove(entry.Relay.Fingerprint))
                continue;
            Log.RelayRemoved(logger, workerId, entry.Relay.ToString(), "on request");
            removed++;
        }

        return removed;
    }

    /// <summary>Another process may answer next: what was seen of this one goes.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _evidence.Clear();
            _brake.Clear();
            _pending.Clear();
        }
    }

    /// <summary>On a new connection: asks what tor has; what a killed process of ours left there goes.</summary>
    public async Task LoadAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        if (await _applier.LoadAsync(control, cancellationToken) && await TryApplyAsync(control, [], cancellationToken))
            Log.ExclusionRecovered(logger, workerId);
    }

    /// <summary>Events were lost: asks again what tor has.</summary>
    public Task ReloadAsync(ControlConnection control, CancellationToken cancellationToken) =>
        _applier.LoadAsync(control, cancellationToken);

    /// <summary>Lists what was found. True when something was listed and a change of tor's options is allowed now.</summary>
    public async Task<bool> ListPendingAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        bool listed = false;
        while (TryTakePending() is { } finding)
            listed |= await ListAsync(control, finding, cancellationToken);
        return listed && _applier.UntilAllowed == TimeSpan.Zero;
    }

    /// <summary>Waits a moment for more to be found, so that one change of tor's options serves all.</summary>
    public async Task ListBatchAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        await Task.Delay(BatchWait, time, cancellationToken);
        await ListPendingAsync(control, cancellationToken);
    }

    /// <summary>Lets entries expire, and brings tor's option up to date when that is allowed.</summary>
    public async Task UpdateAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        if (!Excludes && Blacklist.Clear())
            Log.ListEmptied(logger, workerId);
        foreach (var entry in Blacklist.RemoveExpired())
            Log.RelayRemoved(logger, workerId, entry.Relay.ToString(), "its time is over");
        if (!IsDirty)
            return;
        string[] relays = Listed;
        bool noPath;
        lock (_lock)
            noPath = relays.Length == 0 && _brake.IsPathLost;
        if (!noPath && _applier.UntilAllowed > TimeSpan.Zero)
            return;
        if (await TryApplyAsync(control, relays, cancellationToken))
            Log.ExclusionApplied(logger, workerId, relays.Length);
    }

    /// <summary>At the end: gives tor back what the operator had.</summary>
    public async Task RestoreAsync(ControlConnection control)
    {
        using var deadline = new CancellationTokenSource(RestoreTimeout, time);
        try
        {
            if (await _applier.RestoreAsync(control, deadline.Token))
                Log.ExclusionRestored(logger, workerId);
        }
        catch (Exception failure) when (ControlFailures.IsExpected(failure) || failure is OperationCanceledException)
        {
            Log.ExclusionFailed(logger, workerId, failure.Message);
        }
    }

    /// <summary>What is avoided, and what stands in tor's option for it.</summary>
    public ExclusionState Export() => new(
        workerId,
        [
            .. Blacklist.Entries.Select(entry => new ExclusionEntryState(
                entry.Relay.Fingerprint, entry.Relay.Nickname, entry.Evidence, entry.Since, entry.Until,
                time.GetElapsedTime(entry.Listed).TotalMilliseconds)),
        ],
        _applier.Put);

    /// <summary>Goes on with what another process of ours avoided. Before it connects.</summary>
    public void Adopt(ExclusionState state)
    {
        long now = time.GetTimestamp();
        Blacklist.Adopt(state.Entries.Select(entry => new BlacklistEntry(
            new RelayName(entry.Fingerprint, entry.Nickname), entry.Evidence, entry.Since, entry.Until,
            now - (long)(entry.ListedMs / 1000 * time.TimestampFrequency))));
        _applier.Adopt(state.Put);
    }

    private Finding? TryTakePending()
    {
        lock (_lock)
            return _pending.TryDequeue(out var finding) ? finding : null;
    }

    /// <summary>True when no path was found while we exclude relays.</summary>
    private bool Observe_NeedsLock(ControlEvent message)
    {
        switch (message)
        {
            case CircuitEvent { Circuit: { Status: CircuitStatus.Failed, Reason: "NOPATH", Purpose: null or "GENERAL" } circuit }
                when Excludes && !circuit.BuildFlags.Contains("IS_INTERNAL") && _applier.IsInForce:
                _brake.NoPath();
                return true;
            case OrConnEvent link:
                _brake.Link(link.Status);
                break;
            case NetworkLivenessEvent liveness:
                _brake.SetLiveness(liveness.IsUp);
                break;
            case StatusEvent { Action: "CONSENSUS_ARRIVED" }:
                _consensusIsStale = true;
                break;
        }

        return false;
    }

    private async Task<bool> ListAsync(ControlConnection control, Finding finding, CancellationToken cancellationToken)
    {
        var (relay, evidence) = finding;
        string? refused = BrakeReason;
        if (refused is null && Blacklist.Contains(relay.Fingerprint))
            return false;
        if (refused is null && Choice() is { } exits && exits - Blacklist.Entries.Count <= options.Value.MinRemainingExits)
            refused = $"too few exits of its country would remain of {exits}";
        try
        {
            if (refused is null)
                await RefreshConsensusAsync(control, cancellationToken);
        }
        catch (Exception failure) when (ControlFailures.IsOfCommand(failure))
        {
            refused = failure.Message;
        }

        if (refused is not null || !Blacklist.TryAdd(relay, evidence, _consensus, out refused))
        {
            Log.RelayRefused(logger, workerId, relay.ToString(), refused!);
            return false;
        }

        // Listing it again after its time needs new evidence.
        lock (_lock)
            _evidence.Succeeded(relay);
        Log.RelayListed(
            logger, workerId, relay.ToString(), evidence.Failures, evidence.Circuits, evidence.Destinations,
            options.Value.Duration.TotalSeconds);
        foreach (string circuit in table.CircuitsThrough(relay))
            await UnusedCircuits.TryCloseAsync(control, workerId, circuit, logger, cancellationToken);
        return true;
    }

    private async Task RefreshConsensusAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        if (!_consensusIsStale && time.GetElapsedTime(_consensusTaken) < timing.ConsensusLifetime)
            return;
        _consensusIsStale = false;
        _consensus = ExitConsensus.Parse(await control.GetInfoAsync("ns/all", cancellationToken));
        _consensusTaken = time.GetTimestamp();
        Blacklist.Enforce(_consensus);
    }

    private async Task<bool> TryApplyAsync(ControlConnection control, string[] relays, CancellationToken cancellationToken)
    {
        try
        {
            await _applier.ApplyAsync(control, relays, cancellationToken);
            return true;
        }
        catch (Exception failure) when (failure is ControlReplyException or TimeoutException)
        {
            Log.ExclusionFailed(logger, workerId, failure.Message);
            return false;
        }
    }

    private static string Why(EvidenceView evidence) =>
        $"{evidence.Failures} failures on {evidence.Circuits} circuits to {evidence.Destinations} destinations, and no success";

    /// <summary>An exit against which there is enough evidence.</summary>
    private sealed record Finding(RelayName Relay, EvidenceView Evidence);
}
