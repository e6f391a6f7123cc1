using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>
/// Both directions of a tunnel, driven by events. What waits on nothing but the peers costs no buffer, no pipe and no timer of
/// its own: this object and the two connections are all that an idle tunnel has.
/// </summary>
internal sealed partial class LinuxTunnel : LoopTimer, ILoopWork, IRunningTunnel
{
    /// <summary>Reads of one direction before the loop's other descriptors get their turn.</summary>
    internal const int Rounds = 8;

    /// <summary>The same, for reads that bring a large pipe full.</summary>
    internal const int BytesInATurn = 2 * 1024 * 1024;

    private const int NotEnded = -1;

    private readonly LinuxConnection _client;
    private readonly LinuxConnection _upstream;
    private readonly TunnelSettings _settings;
    private readonly ITunnelOwner _owner;
    private readonly EventLoop _loop;
    private Paces? _paces;
    private Direction _up;
    private Direction _down;
    private long _lastActivity;
    private long _lastAnswer = long.MinValue / 2;
    private int _end = NotEnded;
    private Exception? _fault;
    private volatile bool _stopping;
    private bool _started;
    private bool _completed;
    private bool _queued;

    public LinuxTunnel(LinuxConnection client, LinuxConnection upstream, TunnelSettings settings, ITunnelOwner owner)
    {
        _client = client;
        _upstream = upstream;
        _settings = settings;
        _loop = client.Loop;
        _owner = owner;
        _lastActivity = _loop.Now;
    }

    public TimeSpan SinceMoved => _paces is { IsWaiting: true } ? TimeSpan.Zero
        : TimeSpan.FromMilliseconds(Math.Max(0, Environment.TickCount64 - Volatile.Read(ref _lastActivity)));

    /// <summary>From any thread; the owner is told on the loop's.</summary>
    public void Begin()
    {
        // First: a stop from now on finds it, and one that came before is noticed at the start.
        _settings.Control.Begin(this);
        if (_loop.IsCurrent && _upstream.Loop == _loop)
            Start();
        else
            _upstream.Loop.Post(this);
    }

    /// <summary>On the loop: goes on where there is something to do.</summary>
    public void Pump()
    {
        if (_completed || !_started)
            return;
        try
        {
            MoveBoth();
        }
        catch (Exception failure) when (!_completed)
        {
            // A failure of ours: nobody else would ever end it.
            _fault = failure;
            _end = (int)TunnelEnd.Aborted;
            Complete();
        }
    }

    /// <summary>See <see cref="IEventSink.FetchFurther"/>.</summary>
    public void FetchFurther()
    {
        CacheLines.Fetch(_client, 2);
        CacheLines.Fetch(_upstream, 2);
        CacheLines.Fetch(_settings.Control, 2);
    }

    private void MoveBoth()
    {
        bool more = Move(ref _up, ref _down);
        if (!_completed)
            more |= Move(ref _down, ref _up);
        if (_completed)
            return;
        if (_down.Done && (_up.Done || _up.Drops))
            Complete();
        else if (_up.Done && _client.HasFailed)
            End(TunnelEnd.ClientReset);
        else if (_down.Done && _upstream.HasFailed)
            End(TunnelEnd.UpstreamReset);
        else if (more && !_queued)
        {
            _queued = true;
            _loop.Post(this);
        }
    }

    public void Run()
    {
        _queued = false;
        if (_completed)
            return;
        if (!_started)
        {
            Arrive();
            return;
        }

        if (!_loop.IsCurrent)
            _loop.Post(this);
        else if (_stopping || _client.IsClosed || _upstream.IsClosed)
            End(TunnelEnd.Aborted);
        else
            Pump();
    }

    internal override void OnTimer()
    {
        long due = _lastActivity + (long)_settings.IdleTimeout.TotalMilliseconds;
        if (_paces is { IsWaiting: true })
            _loop.Timers.Add(this, _loop.Now + (long)_settings.IdleTimeout.TotalMilliseconds);
        else if (due <= _loop.Now)
            End(TunnelEnd.IdleTimeout);
        else
            _loop.Timers.Add(this, due);
    }

    /// <summary>From any thread.</summary>
    public void Stop()
    {
        _stopping = true;
        _loop.Post(this);
    }

    /// <summary>Brings the worker's side to the client's loop, in two steps: each loop touches only what it owns.</summary>
    private void Arrive()
    {
        if (_upstream.Loop != _loop)
        {
            if (!_upstream.Loop.IsCurrent)
                _upstream.Loop.Post(this);
            else
            {
                _upstream.MoveTo(_loop);
                _loop.Post(this);
            }

            return;
        }

        if (_loop.IsCurrent)
            Start();
        else
            _loop.Post(this);
    }

    private void Start()
    {
        _started = true;
        _lastActivity = _loop.Now;
        if (_settings.Control.Pace is { } pace)
            _paces = new Paces(this, pace);
        _up = new Direction(_client.EnterTunnel(this), fromClient: true);
        _down = new Direction(_upstream.EnterTunnel(this), fromClient: false);
        if (_stopping || _client.IsClosed || _upstream.IsClosed)
        {
            End(TunnelEnd.Aborted);
            return;
        }

        // What came ahead leaves at once, and what follows waits for it.
        _settings.Control.Pace?.Reserve(_up.LeftEnd - _up.LeftStart + (_down.LeftEnd - _down.LeftStart), out _);
        if (_settings.IdleTimeout > TimeSpan.Zero)
            _loop.Timers.Add(this, _lastActivity + (long)_settings.IdleTimeout.TotalMilliseconds);
        _client.EnsureWatched();
        _upstream.EnsureWatched();
        Pump();
    }

    /// <summary>Cuts both sides. The first reason stays.</summary>
    private void End(TunnelEnd reason)
    {
        if (_completed)
            return;
        if (_end == NotEnded)
            _end = (int)reason;
        Complete();
    }

    private void Complete()
    {
        _completed = true;
        _loop.Timers.Remove(this);
        _paces?.End();
        _settings.Control.End();
        bool leavesClient = _end == (int)TunnelEnd.UpstreamReset && _settings.LeavesClient && LeavesClient();
        _up.Release(_loop);
        _down.Release(_loop);
        _client.LeaveTunnel();
        _upstream.LeaveTunnel();
        if (_end != NotEnded)
        {
            // What ended by a fault must not look finished to the side that is still there.
            _upstream.Abort();
            if (!leavesClient)
                _client.Abort();
        }

        _owner.TunnelEnded(_end == NotEnded ? TunnelEnd.Finished : (TunnelEnd)_end, _fault);
    }

    /// <summary>
    /// Only the worker's side is cut. When it had finished before, the client has all of the answer. A reset proves nothing of it: tor
    /// closes a stream that the target has finished, and what it has not read of the client makes that a reset (RFC 9293, section
    /// 3.6.1); then what came last may well be an answer, if the client still sends or has yet to take it.
    /// </summary>
    private bool LeavesClient()
    {
        if (_client.IsClosed || _client.HasFailed)
            return false;
        if (_down.Ended && _up.Refusal != Errno.ConnectionReset)
        {
            _end = (int)TunnelEnd.UpstreamClosed;
            return true;
        }

        if (_loop.Now - _lastAnswer > TunnelSettings.RecentAnswer.TotalMilliseconds)
            return false;
        return _up.Refusal != 0
            || _up.Left is not null
            || _up.Pipe is { Filled: > 0 }
            || _client.HasUnread
            || _client.Delivery is { IsComplete: false };
    }
}
