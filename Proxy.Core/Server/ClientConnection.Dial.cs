using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>Dialling while the client waits, and may stop waiting.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>What a client may send behind its request before the answer; more stays in the kernel until the tunnel takes it.</summary>
    private const int MaxEarlyData = 64 * 1024;

    private volatile bool _answered;

    private async ValueTask<ConnectOutcome> ConnectWhileClientWaitsAsync(ProxyRequest request)
    {
        _answered = false;
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Aborted);
        var watch = new PeerWatch(client.Input, MaxEarlyData, state => CancelWhenGoneAsync(state, gone));
        var watching = watch.Start(CancellationToken.None);
        try
        {
            if (Plan(request, out var rejected) is not { } plan)
                return new ConnectOutcome(null, null, default, rejected, 0, null);
            var outcome = await services.Connector.ConnectAsync(plan, gone.Token);
            Observe(plan, outcome);
            return outcome;
        }
        catch (OperationCanceledException) when (!Aborted.IsCancellationRequested)
        {
            return new ConnectOutcome(null, null, default, new ProxyError(FailureCause.ClientClosed), Context.Attempts, Context.WorkerId);
        }
        finally
        {
            // What may still go on is the watch over a client that has sent FIN.
            _answered = true;
            Interlocked.MemoryBarrier();
            if (!watch.IsOver)
                watch.RequestStop();
            else if (!watching.IsCompleted)
                await gone.CancelAsync();
            watch.Stopped(await watching);
        }
    }

    private async ValueTask CancelWhenGoneAsync(PeerState state, CancellationTokenSource gone)
    {
        // One of the two must see the other, when the client leaves and the answer comes in the same moment.
        Interlocked.MemoryBarrier();
        if (_answered || (state == PeerState.Finished && !await PeerWatch.IsGoneBehindFinAsync(client, services.Descriptors, services.Time, PeerWatch.Never, gone.Token)))
            return;
        await gone.CancelAsync();
    }
}
