using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// Accounts for a stream over a link, once. A TransPort takes every connection and never says why it ends one: whether the
/// worker carried it shows at the first byte that comes back, and ending before that says perhaps something of it.
/// </summary>
internal sealed class FirstByteWatch : IFirstByteObserver, IDisposable
{
    private readonly WorkerState _worker;
    private readonly TunnelCounters _counters;
    private readonly StreamAccounting _accounting;
    private readonly long _started, _clientBefore, _upstreamBefore;
    private readonly TimeSpan _longest;
    private readonly ITimer? _timer;
    private int _told;

    /// <param name="counters">
    /// Hears of the client's first byte for it; who hears of the worker's says so to <see cref="FirstByteCame"/>. May hold bytes of
    /// earlier streams of the same client; only what comes from now on counts.
    /// </param>
    /// <param name="accounting">Silence longer than its FirstByteTimeout, from the first byte of the client on, is told.</param>
    /// <param name="watchesSilence">False: it is not, whatever that time-out says.</param>
    public FirstByteWatch(WorkerState worker, TunnelCounters counters, StreamAccounting accounting, bool watchesSilence = true)
    {
        (_worker, _counters, _accounting) = (worker, counters, accounting);
        (_started, _clientBefore, _upstreamBefore) = (accounting.Time.GetTimestamp(), counters.FromClient, counters.FromUpstream);
        _longest = accounting.FirstByteTimeout.Value;
        if (!watchesSilence || _longest <= TimeSpan.Zero)
            return;
        _timer = accounting.Time.CreateTimer(
            static state => ((FirstByteWatch)state!).OnSilence(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        counters.NextFromClient = OnClientSpoke;
    }

    private bool IsSilent => _counters.FromUpstream == _upstreamBefore;

    /// <summary>
    /// The tunnel has ended: no_first_byte when the worker's side finished without an answer to what the client had sent, or was
    /// reset before a byte. That is told by then, and nobody else may hold the end of this stream against the worker.
    /// </summary>
    public ProxyError Ended(TunnelEnd end)
    {
        bool isFailure = IsSilent
            && (end is TunnelEnd.UpstreamReset or TunnelEnd.UpstreamClosed
                || (end == TunnelEnd.Finished && _counters.FromClient > _clientBefore));
        return isFailure ? Tell("the stream ended before its first byte") : default;
    }

    public void FirstByteCame()
    {
        Interlocked.Exchange(ref _told, 1);
        _accounting.Outcomes.DialSucceeded(_worker, _accounting.Time.GetElapsedTime(_started));
    }

    public void Dispose()
    {
        _counters.NextFromClient = null;
        _timer?.Dispose();
    }

    /// <summary>A client that connects ahead of time and says nothing has no answer to wait for.</summary>
    private void OnClientSpoke() => _timer!.Change(_longest, Timeout.InfiniteTimeSpan);

    private void OnSilence()
    {
        if (IsSilent)
            Tell("no first byte in time");
    }

    private ProxyError Tell(string detail)
    {
        var error = new ProxyError(FailureCause.NoFirstByte, detail);
        if (Interlocked.Exchange(ref _told, 1) == 0)
            _accounting.Outcomes.DialFailed(_worker, error);
        return error;
    }
}
