using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Workers;

/// <summary>
/// Is told how real connections fare, so that health can learn from them. Called on the path of every connection: it
/// must neither wait nor throw.
/// </summary>
internal interface IOutcomeSink
{
    /// <summary>A worker opened a stream (or answered RESOLVE).</summary>
    void DialSucceeded(WorkerState worker, TimeSpan elapsed);

    /// <summary>An attempt failed. The error's cause says whose fault it was; a loser of a hedge is not told here.</summary>
    void DialFailed(WorkerState worker, ProxyError error);

    /// <summary>A carried stream ended. One over a link that ended in silence has been told as a failed attempt instead.</summary>
    /// <param name="answered">At least one byte had come back.</param>
    void TunnelEnded(WorkerState worker, TunnelEnd end, bool answered);
}

/// <summary>Nobody listens.</summary>
internal sealed class NullOutcomeSink : IOutcomeSink
{
    public static NullOutcomeSink Instance { get; } = new();

    public void DialSucceeded(WorkerState worker, TimeSpan elapsed)
    {
    }

    public void DialFailed(WorkerState worker, ProxyError error)
    {
    }

    public void TunnelEnded(WorkerState worker, TunnelEnd end, bool answered)
    {
    }
}
