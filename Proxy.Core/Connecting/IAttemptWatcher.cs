using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Is told of a connection's attempts while they are made. Called on the path of every connection: nothing in here waits, and the usual
/// case, one attempt that succeeds, allocates nothing.
/// </summary>
internal interface IAttemptWatcher
{
    /// <summary>A worker is being dialled.</summary>
    /// <param name="began">A timestamp.</param>
    void AttemptBegan(WorkerState worker, bool viaLink, long began);

    /// <summary>It opened the stream. What else is under way is given up.</summary>
    void AttemptSucceeded(WorkerState worker, TimeSpan elapsed);

    /// <summary>It did not.</summary>
    void AttemptFailed(WorkerState worker, bool viaLink, ProxyError error, TimeSpan elapsed);
}
