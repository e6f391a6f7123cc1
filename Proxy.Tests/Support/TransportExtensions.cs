using TorBalancer.Transport;

namespace TorBalancer.Tests.Support;

/// <summary>A tunnel as a task, where memory does not matter.</summary>
internal static class TransportExtensions
{
    /// <summary>
    /// As <see cref="ITransport.BeginTunnel"/>; completes with its end. Cancelling the token ends it as
    /// <see cref="TunnelEnd.Aborted"/>; a fault of ours is thrown.
    /// </summary>
    public static async Task<TunnelEnd> TunnelAsync(
        this ITransport transport, TransportConnection client, TransportConnection upstream, TunnelSettings settings,
        CancellationToken cancellationToken = default)
    {
        var owner = new Owner();
        await using var stop = cancellationToken.UnsafeRegister(static control => ((TunnelControl)control!).Stop(), settings.Control);
        transport.BeginTunnel(client, upstream, settings, owner);
        return await owner.End.Task;
    }

    private sealed class Owner : ITunnelOwner
    {
        public TaskCompletionSource<TunnelEnd> End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void TunnelEnded(TunnelEnd how, Exception? fault)
        {
            if (fault is null)
                End.SetResult(how);
            else
                End.SetException(fault);
        }
    }
}
