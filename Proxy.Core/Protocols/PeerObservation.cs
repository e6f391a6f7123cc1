using TorBalancer.Transport;

namespace TorBalancer.Protocols;

/// <summary>Ends watching a peer by its connection's events, wherever the caller is by now.</summary>
internal static class PeerObservation
{
    /// <summary>Behind this nothing is told any more.</summary>
    public static ValueTask StopObservingAsync(this TransportConnection peer)
    {
        if (peer.TryStopObserving())
            return ValueTask.CompletedTask;
        var stop = new Stop(peer);
        peer.Schedule(stop);
        return new ValueTask(stop.Task);
    }

    private sealed class Stop(TransportConnection peer) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously),
        IThreadPoolWorkItem
    {
        public void Execute()
        {
            // It is on the connection's thread now, unless that has changed meanwhile: then once more.
            if (peer.TryStopObserving())
                SetResult();
            else
                peer.Schedule(this);
        }
    }
}
