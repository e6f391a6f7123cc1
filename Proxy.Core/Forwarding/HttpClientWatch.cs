using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;

namespace TorBalancer.Forwarding;

/// <summary>
/// Watches the client while its answer is awaited, and cancels the exchange when it is gone. Only a reset says so. A FIN does
/// not: "nc -N" sends one and listens on, a closed browser tab sends one and does not. After a FIN the exchange goes on; writing
/// to a client that is gone then tells, or its kernel, when it is asked; and where others wait for a descriptor it has to leave.
/// </summary>
internal sealed class HttpClientWatch(
    TransportConnection client, DescriptorBudget descriptors, TimeProvider time, CancellationTokenSource exchange)
{
    private readonly PeerWatch _watch = new(client.Input, HttpLimits.ReadAheadBytes);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;

    /// <summary>The client is gone and the exchange was cancelled for it.</summary>
    public bool Gone { get; private set; }

    public void Start(CancellationToken cancellationToken) => _running = RunAsync(cancellationToken);

    /// <summary>Ends watching for good and gives the reader back.</summary>
    public async ValueTask StopAsync()
    {
        _stopped.TrySetResult();
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

    /// <summary>Says that the client is gone, seen elsewhere.</summary>
    public void SetGone()
    {
        Gone = true;
        exchange.Cancel();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        var state = await _watch.Start(cancellationToken);
        if (state == PeerState.Broken
            || (state == PeerState.Finished
                && await PeerWatch.IsGoneBehindFinAsync(client, descriptors, time, _stopped.Task, cancellationToken)))
            SetGone();
    }
}
