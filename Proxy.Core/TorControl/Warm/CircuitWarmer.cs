using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;
using TorBalancer.Workers;

namespace TorBalancer.TorControl.Warm;

/// <summary>
/// Keeps clean circuits of one worker ready for the identities that recent demand lets expect: launched ahead, of tor's own choice of
/// path, never more than were needed lately, and none while nobody needs any. Events are taken in without waiting; one loop sends the
/// commands. Thread-safe.
/// </summary>
/// <param name="workerId">The worker.</param>
/// <param name="account">What the worker's circuits have cost before.</param>
/// <param name="held">Why nothing may be launched now; null: it may.</param>
internal sealed partial class CircuitWarmer(
    string workerId, Live<CircuitsOptions> options, WarmAccount account, Func<string?> held, TimeProvider time, ILogger logger)
    : IWarmCircuits
{
    private const int MaxSuccessors = 64;

    /// <summary>How soon it is looked again whether what held has gone, or whether the budget allows another.</summary>
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    /// <summary>Everything else wakes the loop.</summary>
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How long what stands ready after the last demand is kept from being used up by health probes, which each take a fresh circuit.
    /// </summary>
    private static readonly TimeSpan ReserveTime = TimeSpan.FromMinutes(15);

    private readonly Lock _lock = new();
    private readonly WorkSignal _work = new(time);
    private readonly DormancyWatch _dormancy = new(time);

    // Under the lock.
    private readonly CircuitLedger _ledger = new(time, account);
    private readonly FreshDemand _demand = new(time);

    // Without the turns of this worker that another had the circuit for.
    private readonly FreshDemand _taken = new(time);
    private readonly LaunchBudget _budget = account.Budget;
    private readonly List<Successor> _successors = [];
    private string? _held;
    private bool _replacesProbed;

    // Unknown: -1.
    private int _clean = -1;

    // Not yet in the demand.
    private int _missed;

    /// <inheritdoc />
    public int? Clean => Volatile.Read(ref _clean) is >= 0 and var clean && !IsOff ? clean : null;

    /// <summary>[Circuits] Warm = off: it counts what there is, and keeps none ready.</summary>
    public bool IsOff => options.Value.Warm == WarmCount.Off;

    /// <summary>A copy of what is known now.</summary>
    public WarmFacts Facts
    {
        get
        {
            lock (_lock)
            {
                return new WarmFacts
                {
                    Clean = _ledger.Clean,
                    Building = _ledger.Building,
                    Target = Target_NeedsLock(),
                    Demand = _taken.LastMinute,
                    Launched = account.Launched,
                    Used = account.Used,
                    Unused = account.Unused,
                    Failed = account.Failed,
                    BuildTime = _ledger.BuildTimes.Median,
                    SlowBuildTime = _ledger.BuildTimes.Slow,
                    Held = _held,
                };
            }
        }
    }

    /// <inheritdoc />
    public void Claim()
    {
        int clean = Volatile.Read(ref _clean);
        if (clean > 0)
            Interlocked.CompareExchange(ref _clean, clean - 1, clean);
    }

    /// <inheritdoc />
    public void Missed()
    {
        if (IsOff)
            return;

        // Whoever picks a worker does not wait for events that are being taken in.
        Interlocked.Increment(ref _missed);
        _work.Set();
    }

    /// <inheritdoc />
    public IDisposable? ExpectSuccessor(TimeSpan within)
    {
        if (IsOff)
            return null;
        Successor successor;
        lock (_lock)
        {
            RemoveOver_NeedsLock();
            if (_successors.Count == MaxSuccessors)
                return null;
            successor = new Successor(this, time.GetTimestamp(), within);
            _successors.Add(successor);
        }

        _work.Set();
        return successor;
    }

    /// <summary>Looks at once whether more are wanted: what it goes by has changed.</summary>
    public void Wake() => _work.Set();

    /// <summary>What GETINFO circuit-status and stream-status say.</summary>
    public void Load(IEnumerable<string> circuits, IEnumerable<string> streams)
    {
        lock (_lock)
        {
            _ledger.Load(circuits, streams);
            Volatile.Write(ref _clean, _ledger.Clean);
        }

        _work.Set();
    }

    public void Observe(ControlEvent message)
    {
        LedgerChange change;
        bool begins = false;
        lock (_lock)
        {
            long used = account.Used;
            change = _ledger.Observe(message);
            if ((change & LedgerChange.Consumed) != 0)
            {
                _demand.Add();
                _taken.Add();
            }

            if (account.Used != used)
                _budget.Used();

            // Without one of ours tor would have built it for the probe: there are no more than otherwise.
            _replacesProbed |= (change & LedgerChange.Probed) != 0 && _demand.WasWithin(ReserveTime);
            if ((change & LedgerChange.Built) != 0)
                _budget.Built();
            if ((change & LedgerChange.Failed) != 0)
                begins = _budget.Failed();
            if ((change & LedgerChange.TornDown) != 0)
                begins = _budget.TornDown();
            if (_ledger.Clean is var clean && clean != _clean)
                Volatile.Write(ref _clean, clean);
        }

        if (begins)
            Log.Paused(logger, workerId);
        if (change != LedgerChange.None)
            _work.Set();
    }

    /// <summary>Another process may answer next.</summary>
    public void Disconnect()
    {
        lock (_lock)
        {
            _ledger.Disconnect();
            _replacesProbed = false;
            Volatile.Write(ref _clean, -1);
            _held = "the control port is not connected";
        }
    }

    /// <summary>Launches what is missing, as long as the connection lasts.</summary>
    public async Task RunAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        _dormancy.Connected();
        try
        {
            while (true)
            {
                bool isDone = await LaunchAsync(control, cancellationToken);
                await _work.WaitAsync(isDone ? MaxWait : Retry, cancellationToken);
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

    /// <summary>False: more are wanted than may be launched now.</summary>
    private async Task<bool> LaunchAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        while (true)
        {
            bool wanted;
            lock (_lock)
                wanted = !IsOff && (Target_NeedsLock() > _ledger.Clean + _ledger.Building || _replacesProbed);
            string? reason = wanted ? held() ?? await _dormancy.AskAsync(control, cancellationToken) : null;
            bool begins = false, replacesProbed = false;
            lock (_lock)
            {
                if (wanted && reason is null && !_budget.TryTake())
                    reason = _budget.IsPaused ? "circuits fail" : "as many were launched as guards allow";
                _held = reason;

                // Before the command: a probe that comes while tor answers takes another.
                if (wanted && reason is null)
                    (replacesProbed, _replacesProbed) = (_replacesProbed, false);
            }

            if (!wanted || reason is not null)
                return !wanted;
            try
            {
                string id = await control.ExtendNewCircuitAsync(cancellationToken);
                lock (_lock)
                {
                    var change = _ledger.Ask(id);
                    if ((change & LedgerChange.Built) != 0)
                        _budget.Built();
                    if ((change & LedgerChange.Failed) != 0)
                        begins = _budget.Failed();
                }
            }
            catch (Exception failure) when (ControlFailures.IsOfCommand(failure))
            {
                Log.NotLaunched(logger, workerId, failure.Message);
                lock (_lock)
                {
                    begins = _budget.Failed();
                    _replacesProbed |= replacesProbed;
                }

                return false;
            }
            finally
            {
                if (begins)
                    Log.Paused(logger, workerId);
            }
        }
    }

    private int Target_NeedsLock()
    {
        for (int missed = Interlocked.Exchange(ref _missed, 0); missed > 0; missed--)
            _demand.Add();
        var wanted = options.Value;
        if (wanted.Warm.Fixed is { } fixedCount)
            return fixedCount;
        RemoveOver_NeedsLock();
        int demanded = WarmPlanner.Target(
            _demand.PerSecond, _demand.LastMinute, _demand.IsSteady, _ledger.BuildTimes.Planned, wanted.MaxWarm);
        return Math.Min(demanded + _successors.Count, wanted.MaxWarm);
    }

    private void RemoveOver_NeedsLock() => _successors.RemoveAll(one => time.GetElapsedTime(one.Since) > one.Within);

    private void Remove(Successor successor)
    {
        lock (_lock)
            _successors.Remove(successor);
    }

    private sealed class Successor(CircuitWarmer warmer, long since, TimeSpan within) : IDisposable
    {
        public long Since => since;

        public TimeSpan Within => within;

        public void Dispose() => warmer.Remove(this);
    }

    private static partial class Log
    {
        [LoggerMessage(
            WarmEventIds.Paused, LogLevel.Warning,
            "Worker {Worker}: circuits that were launched ahead fail; none is launched for a while")]
        public static partial void Paused(ILogger logger, string worker);

        [LoggerMessage(WarmEventIds.NotLaunched, LogLevel.Debug, "Worker {Worker}: tor launches no circuit ahead: {Problem}")]
        public static partial void NotLaunched(ILogger logger, string worker, string problem);
    }
}
