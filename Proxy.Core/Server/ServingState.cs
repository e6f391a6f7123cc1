namespace TorBalancer.Server;

/// <summary>Where the daemon is between its start and its end, as those are told who send clients to it.</summary>
internal enum ServingStage : byte
{
    /// <summary>The listeners are not open yet.</summary>
    Starting,

    Serving,

    /// <summary>Told to stop: connections are still taken, so that whoever sends them hears of it before the port closes.</summary>
    LameDuck,

    /// <summary>The listeners close or are closed; what lives may go on for the drain time.</summary>
    Draining,
}

/// <summary>What they are called in the API.</summary>
internal static class ServingStageWords
{
    public static string Word(this ServingStage stage) => stage switch
    {
        ServingStage.Starting => "starting",
        ServingStage.Serving => "serving",
        ServingStage.LameDuck => "lame_duck",
        _ => "draining",
    };
}

/// <summary>The stage of now. It only moves forward.</summary>
internal sealed class ServingState
{
    private readonly Lock _lock = new();
    private volatile ServingStage _stage;
    private TaskCompletionSource _changed = NewSignal();

    public ServingStage Stage => _stage;

    /// <summary>Completes at the next change; take it before reading the stage.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>Goes on to that stage; nothing when it is there or further already.</summary>
    public void MoveTo(ServingStage stage)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (stage <= _stage)
                return;
            _stage = stage;
            changed = _changed;
            Volatile.Write(ref _changed, NewSignal());
        }

        changed.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
