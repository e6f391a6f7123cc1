using System.Net;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// One stream that a worker carries: the connection, the lease that it lives on, and the account of it. Whoever carries it (a tunnel,
/// HTTP requests one after the other, a fetch) says <see cref="Begin"/> when its bytes begin to move and <see cref="End"/> when it is
/// over, and disposes it. One that never began has nothing to be accounted for.
/// </summary>
/// <remarks>Most live for hours as idle tunnels: nothing in here that those do not need.</remarks>
internal sealed class WorkerStream : IFirstByteObserver, IByteAccount, IAsyncDisposable
{
    private readonly WorkerLease _lease;
    private readonly StreamAccounting _accounting;
    private readonly bool _viaLink;
    private TunnelCounters? _counters;
    private FirstByteWatch? _firstByte;

    // What of the counters is another stream's, or has been counted.
    private long _fromClient, _fromUpstream;
    private long _began;
    private volatile bool _answered;
    private int _ended;

    /// <param name="attempt">One that has opened a connection; both are the stream's from here on.</param>
    /// <param name="target">What was asked for.</param>
    /// <param name="accounting">Where it is accounted for.</param>
    public WorkerStream(in ConnectAttempt attempt, HostEndPoint target, StreamAccounting accounting)
    {
        (_lease, _accounting, _viaLink) = (attempt.Lease, accounting, attempt.Result.ViaLink);
        Connection = attempt.Result.Connection!;
        if (Worker.Model.ControlEndPoint is not null)
            Key = new StreamKey(Worker.Id, attempt.Password, (Connection.LocalEndPoint as IPEndPoint)?.Port, target);
    }

    /// <summary>To the target, through the worker.</summary>
    public TransportConnection Connection { get; }

    public WorkerState Worker => _lease.Worker;

    /// <summary>How the worker's control port knows it; null when it has none.</summary>
    public StreamKey? Key { get; }

    /// <summary>
    /// Says that what these counters count from here on is this stream's. One that ended before may have counted there too.
    /// </summary>
    /// <param name="counters">Where its bytes are counted.</param>
    /// <param name="watchesSilence">False: whoever carries it has time limits of its own, and FirstByteTimeout does not hold.</param>
    public void Begin(TunnelCounters counters, bool watchesSilence = true)
    {
        _counters = counters;
        (_fromClient, _fromUpstream) = (counters.FromClient, counters.FromUpstream);

        // A SocksPort has said that it reached the target. A link has not: see FirstByteWatch.
        if (_viaLink)
            _firstByte = new FirstByteWatch(Worker, counters, _accounting, watchesSilence);

        // The watch is told by this.
        _began = _accounting.Time.GetTimestamp();
        counters.NextFromUpstream = this;
        counters.Account = this;
    }

    void IFirstByteObserver.FirstByteCame()
    {
        Worker.Meters.FirstByte.Observe(_accounting.Time.GetElapsedTime(_began));
        _firstByte?.FirstByteCame();
    }

    /// <summary>
    /// Adds to the worker's totals what has moved since they were last told. Whoever carries a stream in parts says it behind each, and of
    /// one that lives anybody may say it at any time: no byte is counted twice.
    /// </summary>
    public void CountBytes()
    {
        if (_counters is not { } counters)
            return;
        long fromClient = Take(ref _fromClient, counters.FromClient);

        // Noted before it is counted: whoever finds it counted must find that, too.
        long upstream = counters.FromUpstream;
        if (upstream > Interlocked.Read(ref _fromUpstream))
            _answered = true;
        long fromUpstream = Take(ref _fromUpstream, upstream);
        if ((fromClient | fromUpstream) != 0)
            Worker.CountBytes(fromClient, fromUpstream);
    }

    /// <summary>
    /// Settles the account, once: counts what moved, and tells health how the stream ended. Said while the worker still knows the
    /// stream, that is before <see cref="DisposeAsync"/>.
    /// </summary>
    /// <returns>no_first_byte when it went over a link and ended without the answer that the client waited for; else no error.</returns>
    public ProxyError End(TunnelEnd how)
    {
        if (_counters is null || Interlocked.Exchange(ref _ended, 1) != 0)
            return default;
        CountBytes();

        // Silence has been told as a failed attempt; nobody else may hold the same end against the worker.
        if (_firstByte?.Ended(how) is { IsError: true } silence)
            return silence;
        _accounting.Outcomes.TunnelEnded(Worker, how, _answered);
        return default;
    }

    /// <summary>Closes the connection, then gives the lease back.</summary>
    public async ValueTask DisposeAsync()
    {
        _firstByte?.Dispose();
        if (_counters is { } counters)
        {
            if (ReferenceEquals(counters.NextFromUpstream, this))
                counters.NextFromUpstream = null;
            if (ReferenceEquals(counters.Account, this))
                counters.Account = null;
        }

        await Connection.DisposeAsync();
        _lease.Dispose();
    }

    /// <summary>What is more than was counted; counted from now on. Several may ask at one time, some with what is old already.</summary>
    private static long Take(ref long counted, long moved)
    {
        long before = Interlocked.Read(ref counted);
        while (moved > before)
        {
            long found = Interlocked.CompareExchange(ref counted, moved, before);
            if (found == before)
                return moved - before;
            before = found;
        }

        return 0;
    }
}
