namespace TorBalancer.Workers;

/// <summary>What became of asking DNS for workers; see [Discovery].</summary>
internal sealed class DiscoveryState
{
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DiscoveryFacts? _last;
    private long _answers, _failures;
    private volatile bool _isAwaited;

    /// <summary>Completes when something was answered, or was not.</summary>
    public Task FirstAnswer => _first.Task;

    /// <summary>True while workers are asked for and none have been named yet: those that are known are not all.</summary>
    public bool IsAwaited => _isAwaited;

    /// <summary>The latest; null: nobody has been asked.</summary>
    public DiscoveryFacts? Last => Volatile.Read(ref _last);

    /// <summary>Answers that were put into force, or were in force already.</summary>
    public long Answers => Interlocked.Read(ref _answers);

    /// <summary>Questions that changed nothing, because of a resolver that failed or an answer that cannot be used.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Somebody is about to be asked for the first time.</summary>
    public void Await() => _isAwaited = true;

    /// <param name="workers">That are known now.</param>
    /// <param name="problem">Why it changed nothing, or not all that it should have; null: it is in force.</param>
    public void Answered(int workers, string? problem, DateTimeOffset at)
    {
        Interlocked.Increment(ref problem is null ? ref _answers : ref _failures);
        Volatile.Write(ref _last, new DiscoveryFacts(workers, problem, at));
        if (workers > 0)
            _isAwaited = false;
        _first.TrySetResult();
    }
}

/// <summary>The latest question for workers.</summary>
/// <param name="Workers">That are known by DNS.</param>
/// <param name="Problem">What was wrong with the answer, so that what was known before stays; null: nothing.</param>
/// <param name="At">When.</param>
internal sealed record DiscoveryFacts(int Workers, string? Problem, DateTimeOffset At);
