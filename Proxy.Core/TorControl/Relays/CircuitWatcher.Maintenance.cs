namespace TorBalancer.TorControl.Relays;

// Everything that sends commands: listing relays, ExcludeExitNodes, closing circuits, putting back.
internal sealed partial class CircuitWatcher
{
    /// <summary>Without anything to wait for, a look around this often costs nothing.</summary>
    private static readonly TimeSpan IdleWait = TimeSpan.FromMinutes(1);

    /// <summary>Failures come in bursts: one change of options for all of them.</summary>
    private static readonly TimeSpan BatchWait = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan RestoreTimeout = TimeSpan.FromSeconds(3);

    private ExitConsensus _consensus = ExitConsensus.Empty;
    private volatile bool _consensusIsStale = true;
    private long _consensusTaken;

    private async Task MaintainAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        Task<bool>? more = null;
        try
        {
            while (true)
            {
                more ??= _work.Reader.WaitToReadAsync(cancellationToken).AsTask();
                try
                {
                    await more.WaitAsync(NextWait(), _time, cancellationToken);
                    more = null;
                    await WorkAsync(control, cancellationToken);
                }
                catch (TimeoutException)
                {
                }

                await FinishRebuildsAsync(control, cancellationToken);
                await UpdateAsync(control, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
        catch (ControlConnectionException)
        {
            // The task that reads events learns it too, and ends the connection's life.
        }
    }

    private TimeSpan NextWait()
    {
        var wait = IdleWait;
        if (Blacklist.UntilNextExpiry() is { } expiry && expiry < wait)
            wait = expiry;
        if (IsDirty && _applier.UntilAllowed is var allowed && allowed < wait)
            wait = allowed;

        if (UntilNextGivenUp() is { } rebuild && rebuild < wait)
            wait = rebuild;

        // A timer that falls due a hair early must not spin.
        return wait < TimeSpan.FromMilliseconds(10) ? TimeSpan.FromMilliseconds(10) : wait;
    }

    private bool IsDirty => Excludes && _applier.Differs([.. Blacklist.Entries.Select(static entry => entry.Relay.Fingerprint)]);

    private async Task WorkAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        bool listed = false;
        while (_work.Reader.TryRead(out var work))
        {
            switch (work)
            {
                case Work.List list:
                    listed |= await ListAsync(control, list, cancellationToken);
                    break;
                case Work.Rebuild rebuild:
                    await BeginRebuildAsync(control, rebuild.Broken, cancellationToken);
                    break;
            }
        }

        if (listed && _applier.UntilAllowed == TimeSpan.Zero)
        {
            await Task.Delay(BatchWait, _time, cancellationToken);
            while (_work.Reader.TryPeek(out var next) && next is Work.List && _work.Reader.TryRead(out next))
                await ListAsync(control, (Work.List)next, cancellationToken);
        }
    }

    private async Task<bool> ListAsync(ControlConnection control, Work.List work, CancellationToken cancellationToken)
    {
        string relay = work.Relay.ToString();
        string? refused;
        lock (_lock)
            refused = _brake.Reason();
        if (refused is null && Blacklist.Contains(work.Relay.Fingerprint))
            return false;
        try
        {
            if (refused is null)
                await RefreshConsensusAsync(control, cancellationToken);
        }
        catch (Exception e) when (e is ControlReplyException or ControlProtocolException or TimeoutException)
        {
            refused = e.Message;
        }

        if (refused is not null || !Blacklist.TryAdd(work.Relay, work.Evidence, _consensus, out refused))
        {
            Log.RelayRefused(_logger, WorkerId, relay, refused!);
            return false;
        }

        string[] circuits;
        lock (_lock)
        {
            // Listing it again after its time needs new evidence.
            _evidence.Succeeded(work.Relay);
            circuits = [.. _table.Circuits.Where(circuit => circuit.LeadsOut && circuit.Exit.Fingerprint == work.Relay.Fingerprint).Select(static one => one.Id)];
        }

        Log.RelayListed(_logger, WorkerId, relay, work.Evidence.Failures, work.Evidence.Circuits, work.Evidence.Destinations, _options.Duration.TotalSeconds);
        foreach (string circuit in circuits)
            await TryCloseAsync(control, circuit, cancellationToken);
        return true;
    }

    private async Task RefreshConsensusAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        if (!_consensusIsStale && _time.GetElapsedTime(_consensusTaken) < _timing.ConsensusLifetime)
            return;
        _consensusIsStale = false;
        _consensus = ExitConsensus.Parse(await control.GetInfoAsync("ns/all", cancellationToken));
        _consensusTaken = _time.GetTimestamp();
        Blacklist.Enforce(_consensus);
    }

    private async Task TryCloseAsync(ControlConnection control, string circuit, CancellationToken cancellationToken)
    {
        try
        {
            await control.CloseCircuitAsync(circuit, onlyIfUnused: true, cancellationToken);
        }
        catch (Exception e) when (e is ControlReplyException or TimeoutException)
        {
            Log.RebuildFailed(_logger, WorkerId, circuit, e.Message);
        }
    }

    private async Task UpdateAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        foreach (var entry in Blacklist.RemoveExpired())
            Log.RelayRemoved(_logger, WorkerId, entry.Relay.ToString(), "its time is over");
        if (!IsDirty)
            return;
        string[] relays = [.. Blacklist.Entries.Select(static entry => entry.Relay.Fingerprint)];
        bool noPath;
        lock (_lock)
            noPath = relays.Length == 0 && _brake.IsPathLost;
        if (!noPath && _applier.UntilAllowed > TimeSpan.Zero)
            return;
        try
        {
            await _applier.ApplyAsync(control, relays, cancellationToken);
            Log.ExclusionApplied(_logger, WorkerId, relays.Length);
        }
        catch (Exception e) when (e is ControlReplyException or TimeoutException)
        {
            Log.ExclusionFailed(_logger, WorkerId, e.Message);
        }
    }

    /// <summary>What a killed process of ours left in tor's options goes, also when nothing is excluded any more.</summary>
    private async Task RecoverAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        try
        {
            await _applier.ApplyAsync(control, [], cancellationToken);
            Log.ExclusionRecovered(_logger, WorkerId);
        }
        catch (Exception e) when (e is ControlReplyException or TimeoutException)
        {
            Log.ExclusionFailed(_logger, WorkerId, e.Message);
        }
    }

    private async Task RestoreAsync(ControlConnection control)
    {
        using var deadline = new CancellationTokenSource(RestoreTimeout, _time);
        try
        {
            if (await _applier.RestoreAsync(control, deadline.Token))
                Log.ExclusionRestored(_logger, WorkerId);
        }
        catch (Exception e) when (IsExpected(e) || e is OperationCanceledException)
        {
            Log.ExclusionFailed(_logger, WorkerId, e.Message);
        }
    }
}
