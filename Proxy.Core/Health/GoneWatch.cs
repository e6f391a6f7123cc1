using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>
/// Decides over the tunnels of a worker that is proven to be gone. Those that moved a byte lately go on, whatever the proof says,
/// until a later verdict finds them silent: most tunnels that are used say nothing for some seconds now and then. An idle tunnel is no
/// sign of anything, so it takes a proof to end it, never silence.
/// </summary>
/// <param name="workerId">Whose tunnels.</param>
/// <param name="ended">Told how many a verdict ended, when any.</param>
internal sealed class GoneWatch(string workerId, IWorkerConnections connections, TimeProvider time, Action<string, int> ended) : IDisposable
{
    /// <summary>What a proof gets to be refuted; also the least time between two looks at all tunnels.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    /// <summary>A tunnel that moved a byte within this time is in use.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private volatile bool _isWatching;
    private ITimer? _timer;
    private long _since;
    private long? _foundNone;
    private bool _onlyOverLink;
    private bool _isFinal;

    /// <summary>True when the worker has tunnels that a further proof would end.</summary>
    public bool IsWatching => _isWatching;

    /// <param name="onlyOverLink">It concerns only what goes over the worker's link.</param>
    /// <param name="isFinal">Nothing further has to confirm it, unless it is the first.</param>
    /// <param name="isDead">Health has declared the worker dead: then the first is enough as well.</param>
    /// <returns>True when it is the first, and a look at the worker after <see cref="Grace"/> should confirm or refute it.</returns>
    public bool Proven(bool onlyOverLink, bool isFinal, bool isDead)
    {
        bool isFirst;
        lock (_lock)
        {
            isFirst = !_isWatching || (_onlyOverLink && !onlyOverLink);
            if (isFirst)
            {
                if (!HasTunnels_NeedsLock(onlyOverLink))
                    return false;
                _isWatching = true;
                _onlyOverLink = onlyOverLink;
                _since = time.GetTimestamp();
            }

            _isFinal = isDead || (isFirst ? false : _isFinal || isFinal);
            if (_isFinal)
            {
                var left = Grace - time.GetElapsedTime(_since);
                _timer ??= time.CreateTimer(
                    static state => ((GoneWatch)state!).Judge(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
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
            _isWatching = false;
            _isFinal = false;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isWatching = false;
            _timer?.Dispose();
        }
    }

    /// <summary>Looks at most once in <see cref="Grace"/>: every failed dial may ask, and each look goes over all connections.</summary>
    private bool HasTunnels_NeedsLock(bool onlyOverLink)
    {
        if (_foundNone is { } looked && time.GetElapsedTime(looked) < Grace)
            return false;
        bool any = connections.HasTunnels(workerId, onlyOverLink);
        _foundNone = any ? null : time.GetTimestamp();
        return any;
    }

    private void Judge()
    {
        int count;
        lock (_lock)
        {
            if (!_isWatching || !_isFinal)
                return;

            // Those that moved bytes are judged again by a proof that comes later than this.
            _isFinal = false;
            count = connections.EndSilent(workerId, _onlyOverLink, Silence);
            _since = time.GetTimestamp();
        }

        if (count > 0)
            ended(workerId, count);
    }
}
