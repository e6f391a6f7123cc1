using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>Dialling while the client waits, and may stop waiting.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>What a client may send behind its request before the answer; more stays in the kernel until the tunnel takes it.</summary>
    private const int MaxEarlyData = 64 * 1024;

    /// <summary>
    /// A client that sends FIN while it waits has usually given up. One that only half-closes early is possible, so its
    /// connect goes on for this long; one that has also sent data has something to be carried and is never given up.
    /// </summary>
    private static readonly TimeSpan HalfCloseGrace = TimeSpan.FromSeconds(5);

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
            // What may still wait is the time that a client with a half-closed connection was given.
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
        if (_answered || (state == PeerState.Finished && HasEarlyData()))
            return;
        if (state == PeerState.Finished)
            await Task.Delay(HalfCloseGrace, services.Time, gone.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await gone.CancelAsync();
    }

    /// <summary>After a FIN, so nothing is read from the socket: only what the reader holds is looked at.</summary>
    private bool HasEarlyData()
    {
        if (!client.Input.TryRead(out var result))
            return false;
        bool any = !result.Buffer.IsEmpty;
        client.Input.AdvanceTo(result.Buffer.Start);
        return any;
    }
}
