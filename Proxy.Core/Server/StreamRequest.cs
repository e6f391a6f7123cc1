using Microsoft.Extensions.Logging;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// One request of a client for one stream, SOCKS or CONNECT: opened while the client waits, and may stop waiting; then answered.
/// </summary>
internal sealed partial class StreamRequest(TransportConnection client, ConnectionContext context, ConnectionServices services)
{
    /// <summary>What a client may send behind its request before the answer; more stays in the kernel until the tunnel takes it.</summary>
    private const int MaxEarlyData = 64 * 1024;

    private volatile bool _isOver;

    /// <summary>Opens the stream and answers. The stream that comes with the end is to be tunnelled.</summary>
    public async ValueTask<SessionEnd> ServeAsync(
        ProxyRequest request, UserParameters parameters, IClientReply reply, CancellationToken aborted)
    {
        var outcome = await OpenAsync(request, parameters, aborted);
        if (outcome.Stream is not { } stream)
            return await RejectAsync(reply, outcome.Error, aborted);
        try
        {
            await reply.ReplyConnectedAsync(aborted);
        }
        catch
        {
            // The worker's stream must not look finished to the target when it was the client that left, or we that stopped.
            stream.Connection.Abort();
            await stream.DisposeAsync();
            throw;
        }

        // What requests before a CONNECT moved on this connection is not this stream's.
        stream.Begin(context.Counters);
        return new SessionEnd(ClientFarewell.None, stream);
    }

    /// <summary>
    /// Opens the stream, or has RESOLVE answered, while the client waits. Throws only when <paramref name="aborted"/> is cancelled.
    /// </summary>
    public async ValueTask<ConnectOutcome> OpenAsync(ProxyRequest request, UserParameters parameters, CancellationToken aborted)
    {
        context.Observe(request);
        services.IpOnlyNotice.Observe(context.Listener, context.ClientAddress, request);
        long started = services.Time.GetTimestamp();
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        var watch = new PeerWatch(client.Input, MaxEarlyData, state => CancelWhenGoneAsync(state, gone));
        var watching = watch.Start(CancellationToken.None);
        try
        {
            var outcome = await services.OpenAsync(context, request, parameters, gone.Token);
            context.Observe(outcome);
            context.ConnectTime = services.Time.GetElapsedTime(started);
            return outcome;
        }
        catch (OperationCanceledException)
        {
            context.ObserveGivenUp();
            context.ConnectTime = services.Time.GetElapsedTime(started);
            if (aborted.IsCancellationRequested)
                throw;
            return new ConnectOutcome(null, default, new ProxyError(FailureCause.ClientClosed), context.Attempts, context.WorkerId);
        }
        finally
        {
            // What may still go on is the watch over a client that has sent FIN.
            _isOver = true;
            Interlocked.MemoryBarrier();
            if (!watch.IsOver)
                watch.RequestStop();
            else if (!watching.IsCompleted)
                await gone.CancelAsync();
            watch.Stopped(await watching);
        }
    }

    /// <summary>Tells the client why there is no stream.</summary>
    public async ValueTask<SessionEnd> RejectAsync(IClientReply reply, ProxyError error, CancellationToken aborted)
    {
        context.Fail(error);
        if (error.Cause == FailureCause.BadUserParameters)
            Log.Refused(services.Logger, context.Id, error.Detail ?? "");
        if (error.Cause == FailureCause.ClientClosed)
            return default;
        await reply.ReplyErrorAsync(error, new ReplyInfo(context.WorkerId, context.Attempts), aborted);
        return new SessionEnd(ClientFarewell.Finish);
    }

    private async ValueTask CancelWhenGoneAsync(PeerState state, CancellationTokenSource gone)
    {
        // One of the two must see the other, when the client leaves and the answer comes in the same moment.
        Interlocked.MemoryBarrier();
        if (_isOver
            || (state == PeerState.Finished
                && !await PeerWatch.IsGoneBehindFinAsync(client, services.Descriptors, services.Time, PeerWatch.Never, gone.Token)))
            return;
        await gone.CancelAsync();
    }

    private static partial class Log
    {
        [LoggerMessage(ServerEventIds.ClientRefused, LogLevel.Warning, "Connection {Id} was refused: {Detail}")]
        public static partial void Refused(ILogger logger, string id, string detail);
    }
}
