using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>How the client's side ends when it has yet to read something.</summary>
internal sealed partial class ClientConnection
{
    private ClientFarewell _farewell;

    /// <summary>Nothing else is held by then: neither the worker's connection nor its lease.</summary>
    private async ValueTask LeaveAsync()
    {
        // A tunnel has none; an abort either sees this one or is seen here.
        var abort = _abort ??= new CancellationTokenSource();
        Interlocked.MemoryBarrier();
        if (!_aborted && !abort.IsCancellationRequested)
        {
            if (_farewell == ClientFarewell.Finish)
                await services.Lingering.FinishAsync(client, listener.Stopping, abort.Token);
            else
                await services.Lingering.BeforeResetAsync(client, listener.Stopping, abort.Token);
        }

        if (_farewell == ClientFarewell.Reset)
            client.Abort();
        await client.DisposeAsync();
    }
}
