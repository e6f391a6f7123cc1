namespace TorBalancer.Transport.Linux;

/// <summary>The event loops of an engine, each with a thread and pipes of its own, and which of them a connection goes to.</summary>
internal sealed class EventLoops : IDisposable
{
    private readonly EventLoop[] _loops;

    /// <param name="count">At least 1.</param>
    /// <param name="failed">Told of exceptions that nobody else took.</param>
    /// <param name="pipes">Pipes that each loop has for splicing at most; whoever gets none copies.</param>
    /// <param name="descriptors">What connections and pipes are taken from; null: there is no bound.</param>
    public EventLoops(int count, Action<Exception>? failed = null, int pipes = PipePool.UsualLimit, DescriptorBudget? descriptors = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _loops = new EventLoop[count];
        descriptors ??= DescriptorBudget.Unlimited();
        try
        {
            for (int i = 0; i < count; i++)
            {
                var pool = new PipePool(pipes, Math.Max(1, PipePool.MostLarge / count), descriptors);
                _loops[i] = new EventLoop($"loop-{i}", failed ?? (static _ => { }), pool);
            }
        }
        catch
        {
            foreach (var loop in _loops)
                loop?.Dispose();
            throw;
        }

        descriptors.Add(CountOpen, TrimPipes);
    }

    public ReadOnlySpan<EventLoop> All => _loops;

    /// <summary>The one with the fewest connections.</summary>
    public EventLoop Least()
    {
        var least = _loops[0];
        for (int i = 1; i < _loops.Length; i++)
        {
            if (_loops[i].Connections < least.Connections)
                least = _loops[i];
        }

        return least;
    }

    /// <summary>For an accepted connection: where there are fewest, the acceptor's own when it makes no difference.</summary>
    public EventLoop Choose(EventLoop acceptor)
    {
        var least = Least();
        return least.Connections < acceptor.Connections ? least : acceptor;
    }

    /// <summary>Completes when each of them has run something that was posted to it now.</summary>
    public Task WhenTurnedAsync()
    {
        var turns = new Turn[_loops.Length];
        for (int i = 0; i < turns.Length; i++)
            _loops[i].Post(turns[i] = new Turn());
        return Task.WhenAll(turns.Select(static turn => turn.Taken));
    }

    /// <summary>Ends them. What still goes on over them stops where it is.</summary>
    public void Dispose()
    {
        foreach (var loop in _loops)
            loop.Dispose();
    }

    private int CountOpen()
    {
        int open = 0;
        foreach (var loop in _loops)
            open += loop.Connections + loop.Pipes.Open;
        return open;
    }

    private void TrimPipes()
    {
        foreach (var loop in _loops)
            loop.Post(loop.Pipes);
    }

    private sealed class Turn : ILoopWork
    {
        private readonly TaskCompletionSource _taken = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Taken => _taken.Task;

        public void Run() => _taken.TrySetResult();
    }
}
