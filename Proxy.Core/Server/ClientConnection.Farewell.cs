namespace TorBalancer.Server;

/// <summary>How the client's side ends when it has yet to read something.</summary>
internal sealed partial class ClientConnection
{
    private Farewell _farewell;

    private enum Farewell : byte
    {
        /// <summary>Closed at once.</summary>
        None,

        /// <summary>FIN; closed when the client has read its answer.</summary>
        Finish,

        /// <summary>The stream was cut: reset, but not before the client has read what came of it.</summary>
        Reset,
    }

    /// <summary>Nothing else is held by then: neither the worker's connection nor its lease.</summary>
    private async ValueTask LeaveAsync()
    {
        // A tunnel has none; an abort either sees this one or is seen here.
        var abort = _abort ??= new CancellationTokenSource();
        Interlocked.MemoryBarrier();
        if (!_aborted && !abort.IsCancellationRequested)
        {
            if (_farewell == Farewell.Finish)
                await services.Lingering.FinishAsync(client, listener.Stopping, abort.Token);
            else
                await services.Lingering.BeforeResetAsync(client, listener.Stopping, abort.Token);
        }

        if (_farewell == Farewell.Reset)
            client.Abort();
        await client.DisposeAsync();
    }
}
