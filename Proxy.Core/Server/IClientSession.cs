using TorBalancer.Connecting;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>What a client does on its connection once it is known what it speaks.</summary>
internal interface IClientSession
{
    /// <summary>
    /// Serves the client, until nothing is left to do but what the end says. Throws <see cref="IOException"/> when the client is gone, and
    /// <see cref="OperationCanceledException"/> for the connection's token. By then it holds no stream of a worker's any more.
    /// </summary>
    ValueTask<SessionEnd> RunAsync(CancellationToken aborted);
}

/// <summary>What a session leaves to be done.</summary>
/// <param name="Farewell">How the client's side is to end.</param>
/// <param name="Stream">To be tunnelled; it has begun, and is the caller's from here on. Null: nothing is to be tunnelled.</param>
internal readonly record struct SessionEnd(ClientFarewell Farewell, WorkerStream? Stream = null);
