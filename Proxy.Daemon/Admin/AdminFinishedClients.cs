using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using TorBalancer.Protocols;
using TorBalancer.Transport;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Kestrel takes a client's FIN for the end of the connection and drops the request, its answer or both. A FIN says only that nothing
/// more will be sent (RFC 9293, section 3.6): `nc -N` and other small tools send it behind their request. So Kestrel hears of the end of
/// the input when it has taken all of it, and of the end of the connection when the client is gone: its kernel says so (it has reset the
/// connection or, on a unix socket, closed it), or the probes find out that it does not know the connection any more.
/// </summary>
internal static class AdminFinishedClients
{
    public static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var served = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var gone = new CancellationTokenSource();
        await using var closing = connection.ConnectionClosed.UnsafeRegister(
            static state => ((TaskCompletionSource)state!).TrySetResult(), closed);
        connection.ConnectionClosed = gone.Token;
        connection.Transport = new AdminFinishedInput.Pipes(connection.Transport);
        var watching = WatchAsync(connection.Features.Get<IConnectionSocketFeature>()?.Socket, closed.Task, served.Task, gone);
        try
        {
            await next(connection);
        }
        finally
        {
            served.SetResult();
            await watching;
        }
    }

    private static async Task WatchAsync(Socket? socket, Task closed, Task served, CancellationTokenSource gone)
    {
        await Task.WhenAny(closed, served);
        if (socket is not null)
        {
            SocketTuning.ProbePeer(socket);
            while (!served.IsCompleted && !IsGone(socket))
                await served.WaitAsync(PeerWatch.CheckInterval).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (!served.IsCompleted)
            await gone.CancelAsync();
    }

    private static bool IsGone(Socket socket)
    {
        try
        {
            if (socket.SafeHandle.IsClosed)
                return true;
            if (socket.AddressFamily != AddressFamily.Unix)
                return Delivery.IsBroken(socket);

            // Nothing is sent, but whether it could be is looked at first: EPIPE when the other end is closed, not when it has only
            // finished.
            socket.Send(ReadOnlySpan<byte>.Empty);
            return false;
        }
        catch (SocketException failure)
        {
            return failure.SocketErrorCode != SocketError.WouldBlock;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }
}
