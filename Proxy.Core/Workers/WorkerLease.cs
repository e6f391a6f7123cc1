namespace TorBalancer.Workers;

/// <summary>One connection's claim on a worker. Disposing it gives it back, exactly once however often it is disposed.</summary>
public sealed class WorkerLease : IDisposable
{
    private WorkerState? _worker;

    internal WorkerLease(WorkerState worker)
    {
        Worker = worker;
        _worker = worker;
    }

    public WorkerState Worker { get; }

    public void Dispose() => Interlocked.Exchange(ref _worker, null)?.Release();
}
