namespace TorBalancer.Admin;

/// <summary>
/// Bytes that several operations share, none of which knows beforehand how much it will need, only what it may need at most
/// (its claim). A request for more is met when afterwards there is still an order in which all of them could take their whole
/// claims and end; else it waits for others to end. So operations that hold a part and wait for the rest never wait for each
/// other (E. W. Dijkstra, EWD 623, "The mathematics behind the Banker's algorithm").
/// </summary>
/// <param name="limit">Bytes in all.</param>
internal sealed class MemoryBudget(long limit)
{
    private readonly Lock _lock = new();
    private readonly List<MemoryShare> _holders = [];
    private readonly List<Waiter> _waiters = [];
    private readonly List<(long Need, long Held)> _order = [];
    private long _used;

    /// <summary>Bytes in all.</summary>
    public long Limit => limit;

    /// <summary>Bytes that are held now.</summary>
    public long Used
    {
        get
        {
            lock (_lock)
                return _used;
        }
    }

    /// <summary>Requests that wait for others to end.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
                return _waiters.Count;
        }
    }

    /// <summary>A share that holds nothing yet.</summary>
    /// <param name="claim">What it may hold at most, bytes; never more than all.</param>
    public MemoryShare Open(long claim) => new(this, Math.Min(claim, limit));

    internal bool TryGrow(MemoryShare share, long bytes)
    {
        lock (_lock)
            return TryGrow_NeedsLock(share, bytes);
    }

    internal Task GrowAsync(MemoryShare share, long bytes, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (TryGrow_NeedsLock(share, bytes))
                return Task.CompletedTask;
            waiter = new Waiter(share, bytes);
            _waiters.Add(waiter);
        }

        return WaitAsync(waiter, cancellationToken);
    }

    /// <summary>Gives bytes back, or lowers a claim; whoever can go on by that does.</summary>
    internal void Lower(MemoryShare share, long held, long claim)
    {
        List<Waiter>? granted = null;
        lock (_lock)
        {
            _used -= share.Held - held;
            share.Set(held, Math.Max(held, Math.Min(claim, share.Claim)));
            if (held == 0)
                _holders.Remove(share);
            for (int i = 0; i < _waiters.Count;)
            {
                var waiter = _waiters[i];
                if (!TryGrow_NeedsLock(waiter.Share, waiter.Bytes))
                {
                    i++;
                    continue;
                }

                _waiters.RemoveAt(i);
                (granted ??= []).Add(waiter);
            }
        }

        granted?.ForEach(static waiter => waiter.Granted.TrySetResult());
    }

    private async Task WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            await waiter.Granted.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Granted in this very moment: then it stays with the share, which is given back as a whole.
            lock (_lock)
                _waiters.Remove(waiter);
            throw;
        }
    }

    private bool TryGrow_NeedsLock(MemoryShare share, long bytes)
    {
        if (bytes > limit - _used || !IsSafe_NeedsLock(share, bytes))
            return false;
        if (share.Held == 0 && bytes > 0)
            _holders.Add(share);
        _used += bytes;
        share.Set(share.Held + bytes, share.Claim);
        return true;
    }

    /// <summary>
    /// Who needs least ends first and leaves what it holds to the next. Shares that hold nothing can go last: all is theirs then.
    /// </summary>
    private bool IsSafe_NeedsLock(MemoryShare share, long bytes)
    {
        long free = limit - _used - bytes;
        _order.Clear();
        if (share.Held == 0)
            _order.Add((share.Claim - bytes, bytes));
        foreach (var holder in _holders)
        {
            long more = holder == share ? bytes : 0;
            _order.Add((holder.Claim - holder.Held - more, holder.Held + more));
        }

        _order.Sort();
        foreach (var (need, held) in _order)
        {
            if (need > free)
                return false;
            free += held;
        }

        return true;
    }

    private sealed record Waiter(MemoryShare Share, long Bytes)
    {
        public TaskCompletionSource Granted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
