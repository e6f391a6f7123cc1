namespace TorBalancer.Transport;

/// <summary>
/// The waits of a tunnel that copies and whose bytes a second are limited. A wait of ours is no silence of the peers, and it ends at once
/// with the tunnel.
/// </summary>
internal sealed class PacedTurns(BandwidthPace pace) : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private int _waiting;

    /// <summary>Null where nothing limits them.</summary>
    public static PacedTurns? Of(BandwidthPace? pace) => pace is null ? null : new PacedTurns(pace);

    /// <summary>Bytes to ask for at one time.</summary>
    public int Piece => pace.Piece;

    /// <summary>There is something to move, and its turn is yet to come. From any thread.</summary>
    public bool IsWaiting => Volatile.Read(ref _waiting) > 0;

    /// <summary>Reserves so many and returns when they may move; at once when the tunnel ends, and what follows finds it cut.</summary>
    public async ValueTask WaitAsync(int bytes)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            await pace.WaitAsync(bytes, _end.Token);
        }
        catch (OperationCanceledException)
        {
            // The tunnel is cut.
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Reserves what leaves at once: what follows waits for it.</summary>
    public void Reserve(int bytes) => pace.Reserve(bytes, out _);

    /// <summary>Gives back what was reserved and has not moved.</summary>
    public void Return(int bytes) => pace.Return(bytes);

    /// <summary>Ends all waits. Once the tunnel is cut: what waits goes on within this call.</summary>
    public void End()
    {
        try
        {
            _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The tunnel has ended meanwhile.
        }
    }

    public void Dispose() => _end.Dispose();
}
