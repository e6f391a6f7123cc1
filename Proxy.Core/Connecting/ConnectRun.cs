using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>An attempt that may begin: the lease on its worker, the token for it, the longest that it may take, and since when.</summary>
/// <param name="Started">A timestamp.</param>
internal readonly record struct AttemptStart(WorkerLease Lease, IsolationToken Token, TimeSpan Timeout, long Started);

/// <summary>What one connect has tried and learned so far, over all of its attempts. Not thread-safe: one loop drives it.</summary>
internal sealed class ConnectRun(
    ConnectPlan plan, WorkerSelector selector, StreamDialer dialer, RetryPolicy policy, ICircuitEpochs epochs, StreamAccounting accounting,
    TimeProvider time)
{
    // Timers fire up to a millisecond early: an attempt that used up all the time leaves a rest in which no worker can answer.
    private static readonly TimeSpan LeastTime = TimeSpan.FromMilliseconds(20);

    // The same for all of its attempts, whatever is reloaded meanwhile.
    private readonly ConnectOptions _options = policy.Options.Value;
    private readonly long _started = time.GetTimestamp();
    private readonly WorkerState[] _tried = new WorkerState[policy.Options.Value.Attempts];
    private int _attempts;
    private bool _usedOnce;
    private ProxyError _told;
    private string? _workerId;
    private bool _viaLink;

    /// <summary>True when a failure has said what every other worker would say too.</summary>
    public bool IsDecided { get; private set; }

    /// <summary>Takes a worker for the next attempt; false when attempts, time, budget or workers are used up.</summary>
    /// <param name="isHedge">It is made although none has failed yet.</param>
    public bool TryStart(out AttemptStart start, bool isHedge = false)
    {
        start = default;
        if (_attempts == _tried.Length)
            return false;
        var left = _options.Timeout - time.GetElapsedTime(_started);
        if (left < LeastTime)
        {
            Learn(new ProxyError(FailureCause.ConnectTimeout, "the time for connecting is over"), overrides: false);
            return false;
        }

        if (_attempts > 0 && !policy.Budget.TryTakeRetry())
        {
            accounting.Counters.RetryRefused();
            return false;
        }

        var (lease, none) = selector.Select(plan.Selection, _tried.AsSpan(0, _attempts));
        if (lease is null)
        {
            Learn(none, overrides: false);
            return false;
        }

        if (isHedge)
            accounting.Counters.Hedged();
        else if (_attempts > 0)
            accounting.Counters.Retried();
        _tried[_attempts++] = lease.Worker;
        _workerId = lease.Worker.Id;
        start = new AttemptStart(
            lease, TokenFor(lease.Worker), left < _options.AttemptTimeout ? left : _options.AttemptTimeout,
            time.GetTimestamp());
        plan.Watcher?.AttemptBegan(lease.Worker, plan.UsesLink(lease.Worker.Model), start.Started);
        return true;
    }

    /// <summary>Dials. Throws <see cref="OperationCanceledException"/> when cancelled; the lease has gone back then.</summary>
    public async Task<ConnectAttempt> AttemptAsync(AttemptStart start, CancellationToken cancellationToken)
    {
        try
        {
            return Ended(start, await DialAsync(start, cancellationToken));
        }
        catch
        {
            start.Lease.Dispose();
            throw;
        }
    }

    /// <summary>The first part of <see cref="AttemptAsync"/>. When it throws, the lease is still the caller's.</summary>
    public ValueTask<DialResult> DialAsync(in AttemptStart start, CancellationToken cancellationToken)
    {
        var worker = start.Lease.Worker.Model;
        _viaLink = plan.UsesLink(worker);
        return dialer.DialAsync(plan, worker, start.Token, start.Timeout, cancellationToken);
    }

    /// <summary>The second part.</summary>
    public ConnectAttempt Ended(in AttemptStart start, DialResult result) =>
        // Over a link no token is sent.
        new(start.Lease, result, time.GetElapsedTime(start.Started), result.ViaLink ? null : start.Token.Password);

    /// <summary>
    /// A circuit of this worker that was found broken has moved its token on: the same connection then gets a new circuit.
    /// </summary>
    private IsolationToken TokenFor(WorkerState worker) =>
        plan.Token.IsNone ? plan.Token : new IsolationToken(epochs.PasswordFor(worker.Id, plan.Token.Password!));

    /// <summary>Ends the run with an attempt that succeeded.</summary>
    public ConnectOutcome Won(ConnectAttempt attempt)
    {
        var worker = attempt.Lease.Worker;
        plan.Watcher?.AttemptSucceeded(worker, attempt.Elapsed);
        worker.Meters.Attempts.Add(FailureCause.None);
        accounting.Counters.Ended(plan.Selection.Mode, FailureCause.None);
        if (attempt.Result.IsProven)
        {
            worker.ObserveConnectTime(attempt.Elapsed);
            policy.Hedge.Observe(plan.Request.Target, attempt.Elapsed);
            accounting.Outcomes.DialSucceeded(worker, attempt.Elapsed);
        }

        if (plan.Session is { } session)
        {
            session.Session.CarriedBy(worker.Id);
            if (!plan.Request.Target.IsOnion && !attempt.Result.ViaLink)
                SessionSuccessor.Prepare(session, worker, time);
        }

        var stream = attempt.Result.Connection is null ? null : new WorkerStream(attempt, plan.Request.Target, accounting);
        if (stream is null)
            attempt.Lease.Dispose();
        return new ConnectOutcome(stream, attempt.Result.Answer, default, _attempts, worker.Id, attempt.Result.ViaLink, plan.Session);
    }

    /// <summary>Ends the run without one.</summary>
    public ConnectOutcome Lost()
    {
        accounting.Counters.Ended(plan.Selection.Mode, _told.Cause);
        return new ConnectOutcome(null, default, _told, _attempts, _workerId, _viaLink, plan.Session);
    }

    /// <summary>Learns from a failed attempt and gives its lease back. True when another worker may be tried.</summary>
    public bool MayRetryAfter(ConnectAttempt attempt)
    {
        var worker = attempt.Lease.Worker;
        var error = attempt.Result.Error;
        attempt.Lease.Dispose();
        plan.Watcher?.AttemptFailed(worker, attempt.Result.ViaLink, error, attempt.Elapsed);
        worker.Meters.Attempts.Add(error.Cause);

        // Only a rule sends such a target here. tor says 01 for it, which elsewhere means a broken circuit, and so would every worker.
        bool refusedPrivate = error.Cause == FailureCause.GeneralFailure && plan.Request.Target.IsPrivate;
        if (!refusedPrivate)
        {
            if (error.Side == FailureSide.Worker)
                worker.CountFailure();
            if (error.Cause.Info().PassesOver)
                selector.PassOver(worker);
            accounting.Outcomes.DialFailed(worker, error);
        }

        Learn(error, overrides: true);
        IsDecided = refusedPrivate || error.Retry == RetryRule.Never;
        if (IsDecided || (error.Retry == RetryRule.Once && _usedOnce))
            return false;
        _usedOnce |= error.Retry == RetryRule.Once;
        return true;
    }

    /// <summary>
    /// Of two failures the client hears the one that says more about its target: what a network answered beats a worker
    /// that could not be reached; of equals the later one.
    /// </summary>
    private void Learn(ProxyError error, bool overrides)
    {
        if (!_told.IsError || (overrides && !(_told.Side == FailureSide.Target && error.Side != FailureSide.Target)))
            _told = error;
    }
}
