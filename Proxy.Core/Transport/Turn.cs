using System.Runtime.CompilerServices;

namespace TorBalancer.Transport;

/// <summary>To be awaited: what follows runs on the connection's own thread, after what that thread is doing now.</summary>
internal readonly struct Turn(TransportConnection connection) : ICriticalNotifyCompletion
{
    /// <summary>Never: others have their turn in between.</summary>
    public bool IsCompleted => false;

    public Turn GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => connection.Defer(new Work(continuation));

    private sealed class Work(Action continuation) : IThreadPoolWorkItem
    {
        public void Execute() => continuation();
    }
}
