using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>One request and its answer, for the access log. CONNECT requests that are to be tunnelled are not told here.</summary>
/// <param name="Request">Null when it could not be understood.</param>
/// <param name="Method">The method, or empty.</param>
/// <param name="Status">The final status that went to the client, its own or ours; 0 when none did.</param>
/// <param name="Error"><see cref="ProxyError.None"/> when the exchange was completed.</param>
/// <param name="WorkerId">The worker that carried it, or was tried last; null: none.</param>
/// <param name="Attempts">Workers tried; 0 when a kept connection was used or nothing was dialled.</param>
/// <param name="Reused">A kept upstream connection carried it.</param>
/// <param name="BytesFromClient">Bytes written to the worker.</param>
/// <param name="BytesFromUpstream">Bytes of the origin's answer written to the client.</param>
/// <param name="ConnectTime">How long the upstream took to be had; zero when it was kept.</param>
/// <param name="Elapsed">From the complete request head to the end of the answer.</param>
internal readonly record struct HttpExchange(
    ProxyRequest? Request,
    string Method,
    int Status,
    ProxyError Error,
    string? WorkerId,
    int Attempts,
    bool Reused,
    long BytesFromClient,
    long BytesFromUpstream,
    TimeSpan ConnectTime,
    TimeSpan Elapsed);

/// <summary>Is told of each exchange once, when it is over (or, for an upgrade, when the tunnel begins).</summary>
internal interface IHttpExchangeObserver
{
    void OnExchange(in HttpExchange exchange);
}
