using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// Decides over the tunnels of a worker that is proven to be gone. They are looked at when the first proof comes, and those
/// that have not moved a byte by the time of the verdict are ended; one that has moves on, whatever the proof says, until a
/// later verdict finds it silent. An idle tunnel is no sign of anything, so it takes a proof to end it, never silence.
/// </summary>
/// <param name="workerId">Whose tunnels.</param>
/// <param name="ended">Told how many a verdict ended, when any.</param>
internal sealed class GoneWatch(string workerId, IWorkerConnections connections, TimeProvider time, Action<string, int> ended) : IDisposable
{
    /// <summary>What a tunnel gets to show that it is alive, and a proof to be refuted.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private IWorkerTunnels? _tunnels;
    private ITimer? _timer;
    private long _since;
    private bool _onlyOverLink;
    private bool _isFinal;

    /// <summary>True when the worker has tunnels that a further proof would end.</summary>
    public bool IsWatching => Volatile.Read(ref _tunnels) is not null;

    /// <param name="onlyOverLink">It concerns only what goes over the worker's link.</param>
    /// <param name="isFinal">Nothing further has to confirm it, unless it is the first.</param>
    /// <param name="isDead">Health has declared the worker dead: then the first is enough as well.</param>
    /// <returns>True when it is the first, and a look at the worker after <see cref="Grace"/> should confirm or refute it.</returns>
    public bool Proven(bool onlyOverLink, bool isFinal, bool isDead)
    {
        bool isFirst;
        lock (_lock)
        {
            isFirst = _tunnels is null || (_onlyOverLink && !onlyOverLink);
            if (isFirst)
            {
                Volatile.Write(ref _tunnels, connections.Note(workerId, onlyOverLink));
                if (_tunnels is null)
                    return false;
                _onlyOverLink = onlyOverLink;
                _since = time.GetTimestamp();
            }

            _isFinal = isDead || (isFirst ? false : _isFinal || isFinal);
            if (_isFinal)
            {
                var left = Grace - time.GetElapsedTime(_since);
                _timer ??= time.CreateTimer(static state => ((GoneWatch)state!).Judge(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer.Change(left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            }
        }

        return isFirst && !isDead;
    }

    /// <summary>The worker answers.</summary>
    public void Refuted()
    {
        if (!IsWatching)
            return;
        lock (_lock)
        {
            Volatile.Write(ref _tunnels, null);
            _isFinal = false;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            Volatile.Write(ref _tunnels, null);
            _timer?.Dispose();
        }
    }

    private void Judge()
    {
        int count;
        lock (_lock)
        {
            if (_tunnels is null || !_isFinal)
                return;

            // Those that moved bytes are judged again by a proof that comes later than this.
            _isFinal = false;
            count = _tunnels.EndSilent();
            _since = time.GetTimestamp();
        }

        if (count > 0)
            ended(workerId, count);
    }
}
