using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Protocols;

/// <summary>
/// Where a protocol that carries several requests on one client connection (HTTP in absolute form) gets its upstream
/// connections. The server implements it: user parameters, route, worker selection, dialling and retries happen behind it.
/// </summary>
internal interface IUpstreamSource
{
    /// <summary>Connects for one request. Never throws for what the network does.</summary>
    ValueTask<UpstreamResult> ConnectAsync(ProxyRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// True when a connection that was made for <paramref name="earlier"/> may carry <paramref name="next"/> too: same
    /// target and credentials, and neither the isolation in force nor the user parameters ask for another circuit.
    /// </summary>
    bool MayReuse(ProxyRequest earlier, ProxyRequest next);
}

/// <summary>An open connection through a worker. Disposing it closes the connection and gives the worker's lease back.</summary>
internal interface IUpstream : IAsyncDisposable
{
    TransportConnection Connection { get; }

    /// <summary>The id of the worker that carries it.</summary>
    string WorkerId { get; }

    /// <summary>How many workers were tried, this one included.</summary>
    int Attempts { get; }
}

/// <summary>An upstream, or the error that the client is to be told.</summary>
/// <param name="Attempts">How many workers were tried, also when all failed.</param>
/// <param name="WorkerId">The worker tried last, or null when none was.</param>
internal readonly record struct UpstreamResult(IUpstream? Upstream, ProxyError Error, int Attempts, string? WorkerId);
