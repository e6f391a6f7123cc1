using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// Serves the absolute-form requests of one client connection, one after the other. Each is routed by its own host; a
/// connection to an origin is kept for the next request only when <see cref="IUpstreamSource.MayReuse"/> says so.
/// </summary>
/// <param name="client">Has just returned a request of kind Forward.</param>
/// <param name="source">Where upstream connections come from.</param>
/// <param name="counters">Bytes of this client connection, counted while they move.</param>
internal sealed class HttpForwarder(HttpServerHandshake client, IUpstreamSource source, TunnelCounters counters)
{
    private IUpstream? _kept;
    private ProxyRequest? _keptFor;

    /// <summary>Throws only <see cref="OperationCanceledException"/>, for the caller's token.</summary>
    public async ValueTask<HttpForwardOutcome> RunAsync(HttpServerRequest first, CancellationToken cancellationToken)
    {
        var next = first;
        try
        {
            while (next.Kind == HttpServerRequestKind.Forward)
            {
                var request = next.Request!;
                var kept = await TakeKeptAsync(request);
                using var exchange = new HttpForwardExchange(client, source, counters, request, kept, cancellationToken);
                HttpExchangeEnd end;
                try
                {
                    end = await exchange.RunAsync();
                }
                finally
                {
                    exchange.Report();
                }

                if (end == HttpExchangeEnd.Tunnel)
                {
                    // A tunnel may live for hours: what its request was read into goes back first.
                    client.Head.Release();
                    return new HttpForwardOutcome(HttpForwardOutcomeKind.Tunnel, request, exchange.Upstream, ProxyError.None);
                }

                bool goesOn = end is HttpExchangeEnd.Continue or HttpExchangeEnd.ContinueAndKeep;
                if (end == HttpExchangeEnd.ContinueAndKeep)
                    (_kept, _keptFor) = (exchange.Upstream, request);
                else if (exchange.Upstream is not null)
                    await exchange.Upstream.DisposeAsync();
                if (!goesOn)
                {
                    if (end == HttpExchangeEnd.Abort)
                        client.Connection.Abort();
                    return new HttpForwardOutcome(HttpForwardOutcomeKind.Ended, null, null, exchange.Error) { Farewell = FarewellOf(end) };
                }

                next = await WaitForNextAsync(cancellationToken);
            }
        }
        finally
        {
            await DropKeptAsync();
        }

        return next.Kind == HttpServerRequestKind.Connect
            ? new HttpForwardOutcome(HttpForwardOutcomeKind.Connect, next.Request, null, ProxyError.None)
            : new HttpForwardOutcome(HttpForwardOutcomeKind.Ended, null, null, next.Error) { Farewell = next.Farewell };
    }

    private static ClientFarewell FarewellOf(HttpExchangeEnd end) => end switch
    {
        HttpExchangeEnd.Close => ClientFarewell.Finish,
        HttpExchangeEnd.AbortWhenRead => ClientFarewell.Reset,
        _ => ClientFarewell.None,
    };

    private async ValueTask<IUpstream?> TakeKeptAsync(ProxyRequest request)
    {
        if (_kept is not null && source.MayReuse(_keptFor!, request))
        {
            var kept = _kept;
            _kept = null;
            return kept;
        }

        await DropKeptAsync();
        return null;
    }

    /// <summary>The next request; meanwhile an origin that closes its kept connection is let go at once, and so is its worker.</summary>
    private async ValueTask<HttpServerRequest> WaitForNextAsync(CancellationToken cancellationToken)
    {
        var next = client.ReadRequestAsync(cancellationToken);
        if (_kept is null || next.IsCompleted)
            return await next;

        // An idle origin has nothing to say: a byte would be the answer to a request that was never sent.
        var watch = new PeerWatch(_kept.Connection.Input, readAhead: 0);
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

    private async ValueTask DropKeptAsync()
    {
        if (_kept is not { } kept)
            return;
        _kept = null;
        await kept.DisposeAsync();
    }
}
