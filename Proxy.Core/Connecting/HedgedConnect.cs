using TorBalancer.Transport;

namespace TorBalancer.Connecting;

/// <summary>
/// One connect with a second worker asked as well when the first is slow. The first success wins; the loser is cancelled
/// and awaited, and its worker is not blamed.
/// </summary>
internal sealed class HedgedConnect(
    ConnectRun run, TimeSpan delay, TimeProvider time, DescriptorBudget descriptors, ConnectCounters counters)
{
    private readonly List<Task<ConnectAttempt>> _running = new(2);
    private bool _hasSecond;
    private Task<ConnectAttempt>? _hedge;

    public async ValueTask<ConnectOutcome> RunAsync(CancellationToken cancellationToken)
    {
        using var losers = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var hedgeTimer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var hedge = Task.Delay(delay, time, hedgeTimer.Token);
        try
        {
            return await RaceAsync(hedge, losers.Token);
        }
        finally
        {
            await hedgeTimer.CancelAsync();
            await losers.CancelAsync();
            await hedge.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var loser in _running)
                await DiscardAsync(loser);
            if (_hasSecond)
                descriptors.Return(1);
        }
    }

    private async Task<ConnectOutcome> RaceAsync(Task hedge, CancellationToken cancellationToken)
    {
        bool hedged = false, mayStart = true;
        while (true)
        {
            if (_running.Count == 0 && !(mayStart && TryStart(cancellationToken)))
                return run.Lost();
            var done = hedged || _running.Count > 1
                ? await Task.WhenAny(_running)
                : await Task.WhenAny(_running.Append(hedge));
            if (done == hedge)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hedged = true;

                // One connection to a worker was promised to the client; a second one must not take another client's.
                _hasSecond = descriptors.TryTakeSpare(1);
                if (_hasSecond && TryStart(cancellationToken, isHedge: true))
                    _hedge = _running[^1];
                continue;
            }

            var finished = (Task<ConnectAttempt>)done;
            _running.Remove(finished);
            var attempt = await finished;
            if (attempt.Succeeded)
            {
                if (finished == _hedge)
                    counters.HedgeWon();
                return run.Won(attempt);
            }

            mayStart = run.MayRetryAfter(attempt);
            if (run.IsDecided)
                return run.Lost();
        }
    }

    private bool TryStart(CancellationToken cancellationToken, bool isHedge = false)
    {
        if (!run.TryStart(out var start, isHedge))
            return false;
        _running.Add(run.AttemptAsync(start, cancellationToken));
        return true;
    }

    private static async Task DiscardAsync(Task<ConnectAttempt> loser)
    {
        try
        {
            await (await loser).DiscardAsync();
        }
        catch (OperationCanceledException)
        {
            // Cancelled before it had anything; its lease went back with that.
        }
    }
}
