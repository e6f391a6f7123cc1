using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;

namespace TorBalancer.Forwarding;

/// <summary>
/// Watches the client while its answer is awaited, and cancels the exchange when it is gone. Only a reset says so. A FIN does
/// not: "nc -N" sends one and listens on, a closed browser tab sends one and does not. After a FIN the exchange goes on; writing
/// to a client that is gone then tells, or its kernel, when it is asked; and where others wait for a descriptor it has to leave.
/// </summary>
/// <remarks>
/// As long as the connection's events tell (<see cref="TransportConnection.TryObserve"/>), nothing is read: a client that stays costs
/// nothing.
/// </remarks>
internal sealed class HttpClientWatch(
    TransportConnection client, DescriptorBudget descriptors, TimeProvider time, CancellationTokenSource exchange) : IPeerObserver
{
    private PeerWatch? _watch;
    private TaskCompletionSource? _stopped;
    private Task _running = Task.CompletedTask;
    private CancellationToken _token;
    private bool _observes;

    /// <summary>The client is gone and the exchange was cancelled for it.</summary>
    public bool Gone { get; private set; }

    public void Start(CancellationToken cancellationToken)
    {
        _token = cancellationToken;
        _observes = client.TryObserve(this, whenQuiet: false);
        if (!_observes)
            Read();
    }

    /// <summary>Ends watching for good and gives the reader back.</summary>
    public ValueTask StopAsync()
    {
        var observing = _observes ? client.StopObservingAsync() : ValueTask.CompletedTask;
        return observing.IsCompleted && _watch is null ? ValueTask.CompletedTask : StopReadingAsync(observing);
    }

    /// <summary>Says that the client is gone, seen elsewhere.</summary>
    public void SetGone()
    {
        Gone = true;
        exchange.Cancel();
    }

    void IPeerObserver.PeerStirred(bool hangUp)
    {
        // What it sends ahead waits until it is read.
        if (!hangUp || _watch is not null)
            return;
        client.TryStopObserving();
        Read();
    }

    private void Read()
    {
        _stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _watch = new PeerWatch(client.Input, HttpLimits.ReadAheadBytes);
        _running = RunAsync(_watch, _stopped.Task);
    }

    private async ValueTask StopReadingAsync(ValueTask observing)
    {
        await observing;
        if (_watch is null)
            return;
        _stopped!.TrySetResult();
        try
        {
            await _watch.StopAsync();
            await _running;
        }
        catch (OperationCanceledException)
        {
            // the caller's own token, which the caller sees by itself
        }
    }

    private async Task RunAsync(PeerWatch watch, Task stopped)
    {
        var state = await watch.Start(_token);
        if (state == PeerState.Broken
            || (state == PeerState.Finished && await PeerWatch.IsGoneBehindFinAsync(client, descriptors, time, stopped, _token)))
            SetGone();
    }
}
