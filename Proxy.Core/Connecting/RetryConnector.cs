using System.Net;
using System.Net.Sockets;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Dials worker after worker until one succeeds, the failure is one that another worker would not mend, or attempts or
/// time run out. Nothing has been told to the client yet, so moving on is safe.
/// </summary>
internal sealed class RetryConnector(WorkerSelector selector, WorkerDialer dialer, ConnectOptions options, IOutcomeSink outcomes, TimeProvider time)
{
    // Timers fire up to a millisecond early: an attempt that used up all the time leaves a rest in which no worker can answer.
    private static readonly TimeSpan LeastTime = TimeSpan.FromMilliseconds(20);

    /// <summary>Throws <see cref="OperationCanceledException"/> only when the token is cancelled: nobody waits any more.</summary>
    public async ValueTask<ConnectOutcome> ConnectAsync(ConnectPlan plan, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        var tried = new WorkerState[options.Attempts];
        int attempts = 0;
        bool usedOnce = false;
        ProxyError worst = default;
        string? workerId = null;
        while (attempts < options.Attempts)
        {
            var left = options.Timeout - time.GetElapsedTime(started);
            if (left < LeastTime)
                return Fail(new ProxyError(FailureCause.ConnectTimeout, "the time for connecting is over"));
            var (lease, none) = selector.Select(plan.Selection, tried.AsSpan(0, attempts));
            if (lease is null)
                return Fail(none);

            var worker = lease.Worker;
            tried[attempts++] = worker;
            workerId = worker.Id;
            DialResult result;
            long dialled = time.GetTimestamp();
            try
            {
                var timeout = left < options.AttemptTimeout ? left : options.AttemptTimeout;
                result = await dialer.DialAsync(worker.Model, plan.Request.Command, plan.Request.Target, plan.Token, timeout, cancellationToken);
            }
            catch
            {
                lease.Dispose();
                throw;
            }

            if (!result.Error.IsError)
            {
                var elapsed = time.GetElapsedTime(dialled);
                worker.ObserveConnectTime(elapsed);
                outcomes.DialSucceeded(worker, elapsed);
                if (result.Connection is null)
                    lease.Dispose();
                return new ConnectOutcome(result.Connection, result.Connection is null ? null : lease, result.Answer, default, attempts, workerId);
            }

            lease.Dispose();
            bool refusedPrivate = result.Error.Cause == FailureCause.GeneralFailure && IsPrivate(plan.Request.Target.Address);
            if (result.Error.Side == FailureSide.Worker && !refusedPrivate)
                worker.CountFailure();
            if (!refusedPrivate)
                outcomes.DialFailed(worker, result.Error);
            worst = MoreTruthful(worst, result.Error);
            if (refusedPrivate || result.Error.Retry == RetryRule.Never || (result.Error.Retry == RetryRule.Once && usedOnce))
                break;
            usedOnce |= result.Error.Retry == RetryRule.Once;
        }

        return Fail(default);

        ConnectOutcome Fail(ProxyError otherwise) => new(null, null, default, worst.IsError ? worst : otherwise, attempts, workerId);
    }

    /// <summary>
    /// Of two failures the client hears the one that says more about its target: what a network answered beats a worker
    /// that could not be reached; of equals the later one.
    /// </summary>
    private static ProxyError MoreTruthful(ProxyError earlier, ProxyError later) =>
        earlier.Side == FailureSide.Target && later.Side != FailureSide.Target ? earlier : later;

    /// <summary>
    /// Exits refuse private addresses, and tor says 01 for it, which elsewhere means a broken circuit; no other worker
    /// would say otherwise (RFC 1918, RFC 4193, loopback, link-local).
    /// </summary>
    private static bool IsPrivate(IPAddress? address)
    {
        if (address is null)
            return false;
        if (IPAddress.IsLoopback(address) || address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal)
            return true;
        if (address.AddressFamily != AddressFamily.InterNetwork)
            return false;
        Span<byte> b = stackalloc byte[4];
        address.TryWriteBytes(b, out _);
        return b[0] is 10 or 0 || (b[0] == 172 && (b[1] & 0xF0) == 16) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254);
    }
}
