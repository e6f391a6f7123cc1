namespace TorBalancer.Server;

internal sealed partial class ClientConnection
{
#pragma warning disable IDE0060, CA1822
    private Task ServeHttpAsync(CancellationTokenSource handshakeTimer, CancellationToken handshake, CancellationToken stopping) => Task.CompletedTask;
#pragma warning restore
}
