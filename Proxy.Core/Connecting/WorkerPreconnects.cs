using TorBalancer.Transport;

namespace TorBalancer.Connecting;

/// <summary>
/// The preconnected connections of one worker, and how many are wanted. Everything under the lock of <see cref="PreconnectPool"/>.
/// </summary>
/// <param name="workerId">Whose they are.</param>
/// <param name="way">How its SocksPort was reached; a worker that moves gets another list.</param>
internal sealed class WorkerPreconnects(string workerId, TransportConnectRequest way)
{
    /// <summary>As many are wanted as were used in one of these, the current one or the one before.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly List<(TransportConnection Socket, TimeSpan Made)> _sockets = [];
    private TimeSpan _windowFrom;
    private int _used;
    private int _usedBefore;

    public string WorkerId => workerId;

    public TransportConnectRequest Way => way;

    public int Count => _sockets.Count;

    /// <summary>Connects under way.</summary>
    public int Connecting { get; set; }

    /// <summary>A connect has failed: none is made until an ordinary one succeeds.</summary>
    public bool IsPaused { get; set; }

    /// <summary>Its worker carries nothing or is elsewhere now; what still arrives is closed.</summary>
    public bool IsClosed { get; set; }

    public void CountUse(TimeSpan now)
    {
        var age = now - _windowFrom;
        if (age >= Window)
        {
            _usedBefore = age < 2 * Window ? _used : 0;
            _used = 0;
            _windowFrom = now;
        }

        _used++;
    }

    /// <summary>How many connects to begin.</summary>
    public int Missing(int most) =>
        IsPaused || IsClosed ? 0 : Math.Max(0, Math.Min(most, Math.Max(_used, _usedBefore)) - Count - Connecting);

    public void Put(TransportConnection socket, TimeSpan now) => _sockets.Add((socket, now));

    /// <summary>The latest: the others grow old when fewer are used than stand.</summary>
    public TransportConnection? TryTake()
    {
        if (_sockets.Count == 0)
            return null;
        var latest = _sockets[^1].Socket;
        _sockets.RemoveAt(_sockets.Count - 1);
        return latest;
    }

    /// <summary>Moves those that were made before, and those that are dead, to a list of what is to be closed.</summary>
    public void RemoveTo(List<TransportConnection> closing, TimeSpan madeBefore) => _sockets.RemoveAll(one =>
    {
        bool remove = one.Made <= madeBefore || !one.Socket.TryClaim();
        if (remove)
            closing.Add(one.Socket);
        return remove;
    });

    public void RemoveAllTo(List<TransportConnection> closing)
    {
        closing.AddRange(_sockets.Select(static one => one.Socket));
        _sockets.Clear();
    }
}
