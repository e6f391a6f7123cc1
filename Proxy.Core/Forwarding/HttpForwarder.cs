using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;

namespace TorBalancer.Forwarding;

/// <summary>
/// Forwards the absolute-form requests of one client connection, one after the other. Each is routed by its own host; a stream to
/// an origin is kept for the next request when that has the same host and credentials, and nothing asks for another circuit.
/// </summary>
/// <param name="client">The client; it reads the requests.</param>
/// <param name="open">The way up: everything that decides by which worker a request leaves is behind it.</param>
/// <param name="counters">Bytes of this client connection, counted while they move.</param>
internal sealed class HttpForwarder(HttpServerConnection client, OpenStream open, TunnelCounters counters) : IAsyncDisposable, IPeerObserver
{
    private readonly ExchangeCancellation _cancellation = new();
    private KeptStream? _kept;
    private WorkerStream? _over;
    private Task _dropped = Task.CompletedTask;

    /// <summary>The exchange that was forwarded last, also when it failed by an exception.</summary>
    public HttpExchange Last { get; private set; }

    /// <summary>
    /// Forwards one request and its answer. A stream that is not kept is closed when this is called again, the next request is read, or
    /// the forwarder is disposed: as long as it is open, its worker knows its exit. Throws only <see cref="OperationCanceledException"/>,
    /// for the caller's token.
    /// </summary>
    public async ValueTask<HttpForwardResult> ForwardAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        using var exchange = new HttpForwardExchange(
            client, open, counters, request, await TakeKeptAsync(request), _cancellation, cancellationToken);
        HttpExchangeEnd end;
        try
        {
            end = await exchange.RunAsync();
        }
        finally
        {
            Last = exchange.Summary();
        }

        if (end == HttpExchangeEnd.Tunnel)
        {
            // A tunnel may live for hours: what its request was read into goes back first.
            client.Head.Release();
            return new HttpForwardResult(GoesOn: false, ClientFarewell.None, exchange.Carrier!.Stream);
        }

        if (end == HttpExchangeEnd.ContinueAndKeep)
            _kept = exchange.Carrier;
        else
            _over = exchange.Carrier?.Stream;
        return new HttpForwardResult(end is HttpExchangeEnd.Continue or HttpExchangeEnd.ContinueAndKeep, FarewellOf(end), null);
    }

    /// <summary>The next request; meanwhile an origin that closes its kept stream is let go at once, and so is its worker.</summary>
    public async ValueTask<HttpServerRequest> ReadRequestAsync(CancellationToken cancellationToken)
    {
        await CloseOverAsync();
        var next = client.ReadRequestAsync(cancellationToken);
        if (_kept is not { } kept || next.IsCompleted)
            return await next;
        var origin = kept.Stream.Connection;
        if (!origin.TryObserve(this, whenQuiet: true))
            return await ReadRequestAsync(next, kept, cancellationToken);
        try
        {
            return await next;
        }
        finally
        {
            await origin.StopObservingAsync();
            await _dropped;
        }
    }

    /// <summary>An idle origin has nothing to say: it is leaving, or a byte would be the answer to a request that was never sent.</summary>
    void IPeerObserver.PeerStirred(bool hangUp)
    {
        _kept?.Stream.Connection.TryStopObserving();
        _dropped = DropKeptAsync().AsTask();
    }

    /// <summary>The same where only a read of the origin's side tells.</summary>
    private async ValueTask<HttpServerRequest> ReadRequestAsync(
        ValueTask<HttpServerRequest> next, KeptStream kept, CancellationToken cancellationToken)
    {
        // An idle origin has nothing to say: a byte would be the answer to a request that was never sent.
        var watch = new PeerWatch(kept.Stream.Connection.Input, readAhead: 0);
        var left = watch.Start(cancellationToken);
        var reading = next.AsTask();
        try
        {
            if (await Task.WhenAny(reading, left) == left)
                await DropKeptAsync();
            return await reading;
        }
        finally
        {
            if (_kept is not null && await watch.StopAsync() != PeerState.Open)
                await DropKeptAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseOverAsync();
        await DropKeptAsync();
        _cancellation.Dispose();
    }

    private static ClientFarewell FarewellOf(HttpExchangeEnd end) => end switch
    {
        HttpExchangeEnd.Close => ClientFarewell.Finish,
        HttpExchangeEnd.Abort => ClientFarewell.Abort,
        HttpExchangeEnd.AbortWhenRead => ClientFarewell.Reset,
        _ => ClientFarewell.None,
    };

    private async ValueTask<KeptStream?> TakeKeptAsync(ProxyRequest request)
    {
        await CloseOverAsync();
        if (_kept is { } kept && kept.MayCarry(request))
        {
            _kept = null;
            return kept;
        }

        await DropKeptAsync();
        return null;
    }

    private async ValueTask CloseOverAsync()
    {
        if (_over is not { } over)
            return;
        _over = null;
        await over.DisposeAsync();
    }

    private async ValueTask DropKeptAsync()
    {
        if (_kept is not { } kept)
            return;
        _kept = null;
        kept.Stream.End(TunnelEnd.Finished);
        await kept.Stream.DisposeAsync();
    }
}
