using Microsoft.AspNetCore.Connections;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Kestrel takes a client's FIN for the end of the connection and drops the answer. A FIN says only that nothing more will be sent
/// (RFC 9293, section 3.6): `nc -N` and other small tools send it behind their request. So Kestrel hears of the end a little later; a
/// client that has left still ends what it asked for.
/// </summary>
internal static class AdminFinishedClients
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    public static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        using var ended = new CancellationTokenSource();
        await using var finished = connection.ConnectionClosed.UnsafeRegister(
            static state =>
            {
                try
                {
                    ((CancellationTokenSource)state!).CancelAfter(Grace);
                }
                catch (ObjectDisposedException)
                {
                    // It was answered meanwhile.
                }
            },
            ended);
        connection.ConnectionClosed = ended.Token;
        await next(connection);
    }
}
