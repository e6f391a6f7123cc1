using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Forwarding;

/// <summary>One request and its answer, as the access log tells it.</summary>
/// <param name="Request">Null when it could not be understood.</param>
/// <param name="Status">The final status that went to the client, its own or ours; 0 when none did.</param>
/// <param name="Error"><see cref="ProxyError.None"/> when the exchange was completed.</param>
/// <param name="WorkerId">The worker that carried it, or was tried last; null: none.</param>
/// <param name="Attempts">Workers tried; 0 when a kept stream was used or nothing was dialled.</param>
/// <param name="FromClient">Bytes written to the worker.</param>
/// <param name="FromUpstream">Bytes of the origin's answer written to the client.</param>
/// <param name="ConnectTime">How long the stream took to be opened; zero when it was kept.</param>
/// <param name="Elapsed">From the complete request head to the end of the answer.</param>
internal readonly record struct HttpExchange(
    ProxyRequest? Request, int Status, ProxyError Error, string? WorkerId = null, int Attempts = 0, long FromClient = 0,
    long FromUpstream = 0, TimeSpan ConnectTime = default, TimeSpan Elapsed = default);
