using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>
/// Accounts for a stream over a link. A TransPort takes every connection and never says why it ends one: whether the
/// worker carried it shows at the first byte that comes back, and ending before that says perhaps something of it.
/// </summary>
internal sealed class FirstByteWatch : IDisposable
{
    private readonly WorkerState _worker;
    private readonly TunnelCounters _counters;
    private readonly IOutcomeSink _outcomes;
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly ITimer? _timer;
    private int _told;

    /// <param name="timeout">Silence longer than this, after the client has sent something, is told; zero: never.</param>
    public FirstByteWatch(WorkerState worker, TunnelCounters counters, IOutcomeSink outcomes, TimeSpan timeout, TimeProvider time)
    {
        (_worker, _counters, _outcomes, _time) = (worker, counters, outcomes, time);
        _started = time.GetTimestamp();
        counters.FirstFromUpstream = OnFirstByte;
        if (timeout > TimeSpan.Zero)
            _timer = time.CreateTimer(static state => ((FirstByteWatch)state!).OnSilence(), this, timeout, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The tunnel has ended: no_first_byte when the worker's side finished without an answer to what the client had sent.</summary>
    public ProxyError Ended(TunnelEnd end)
    {
        bool isSilent = _counters.FromUpstream == 0 && (end == TunnelEnd.UpstreamReset || (end == TunnelEnd.Finished && _counters.FromClient > 0));
        if (!isSilent)
            return default;
        var error = new ProxyError(FailureCause.NoFirstByte, "the stream ended before its first byte");

        // A reset is told by whoever tells the tunnel's end.
        if (end == TunnelEnd.Finished && Interlocked.Exchange(ref _told, 1) == 0)
            _outcomes.DialFailed(_worker, error);
        return error;
    }

    public void Dispose()
    {
        _counters.FirstFromUpstream = null;
        _timer?.Dispose();
    }

    private void OnFirstByte()
    {
        Interlocked.Exchange(ref _told, 1);
        _outcomes.DialSucceeded(_worker, _time.GetElapsedTime(_started));
    }

    private void OnSilence()
    {
        if (_counters.FromUpstream == 0 && _counters.FromClient > 0 && Interlocked.Exchange(ref _told, 1) == 0)
            _outcomes.DialFailed(_worker, new ProxyError(FailureCause.NoFirstByte, "no first byte in time"));
    }
}
