using System.Threading.Channels;

namespace TorBalancer.TorControl;

/// <summary>Wakes the one loop that waits for work. Several signals before it looks count as one; none is lost.</summary>
internal sealed class WorkSignal(TimeProvider time)
{
    private readonly Channel<bool> _signals = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    // Survives a wait that timed out: a channel's reader may wait only once at a time.
    private Task<bool>? _waiting;

    public void Set() => _signals.Writer.TryWrite(true);

    /// <summary>Returns at the next signal, or when the time is over. Throws <see cref="OperationCanceledException"/>.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        _waiting ??= _signals.Reader.WaitToReadAsync(CancellationToken.None).AsTask();
        try
        {
            await _waiting.WaitAsync(atMost, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return;
        }

        _waiting = null;
        _signals.Reader.TryRead(out _);
    }
}
