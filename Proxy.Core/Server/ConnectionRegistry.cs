using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>
/// Knows every live connection, so that views can list them and stopping can wait for them: a list through the connections
/// themselves, because most of them are idle tunnels, and those are to take little.
/// </summary>
internal sealed class ConnectionRegistry : IWorkerConnections, IDisposable
{
    /// <summary>Connections that have ended and are remembered for people who ask; a power of two.</summary>
    internal const int MaxRecent = 1024;

    /// <summary>Connections that are ended at a time for others that wait (<see cref="MakeRoom"/>), at first and in a crowd.</summary>
    internal const int MostToGiveWay = 128, MostToGiveWayInACrowd = 1024;

    /// <summary>
    /// How long a client has for its request while others wait for its place, before it has said anything and after; what its listener
    /// says holds otherwise.
    /// </summary>
    internal static readonly TimeSpan PatienceWithSilent = TimeSpan.FromSeconds(2), PatienceWithSlow = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Where others have waited all the time for so long, whoever says nothing is there for the sake of the place: one who wants something
    /// says so at once, and has mostly said it before it was accepted. Its patience is then <see cref="PatienceInACrowd"/>.
    /// </summary>
    internal static readonly TimeSpan CrowdedAfter = TimeSpan.FromSeconds(4);

    /// <inheritdoc cref="CrowdedAfter"/>
    internal static readonly TimeSpan PatienceInACrowd = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan RoomLookInterval = DescriptorBudget.PressInterval;

    /// <summary>Nobody has waited for so long: the crowd is gone.</summary>
    private static readonly TimeSpan CrowdIsGone = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private long _roomLookedAt, _crowdSince;
    private int _roomFound;
    private readonly ConnectionContext?[] _recent = new ConnectionContext?[MaxRecent];
    private int _ended;
    private LiveConnection? _first;
    private int _count;
    private TaskCompletionSource? _empty;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Live<bool> _endWhenWorkerIsGone;
    private long _lastId;

    /// <param name="endWhenWorkerIsGone">[Tunnel] EndWhenWorkerIsGone; false: no tunnel is ended for its worker's sake.</param>
    public ConnectionRegistry(Live<bool> endWhenWorkerIsGone)
    {
        _endWhenWorkerIsGone = endWhenWorkerIsGone;
        Stopping = _stopping.Token;
    }

    public int Count => Volatile.Read(ref _count);

    /// <summary>Cancelled when the daemon drains: connections may go on, but take no further request.</summary>
    public CancellationToken Stopping { get; }

    /// <summary>Those that live at this moment.</summary>
    public IReadOnlyList<LiveConnection> All
    {
        get
        {
            lock (_lock)
            {
                var all = new List<LiveConnection>(_count);
                for (var one = _first; one is not null; one = one.Next)
                    all.Add(one);
                return all;
            }
        }
    }

    /// <summary>
    /// Adds to workers' totals the bytes that live connections have moved until now: whoever reads the totals asks for it first.
    /// </summary>
    public void CountBytes()
    {
        foreach (var connection in All)
            connection.CountBytes();
    }

    /// <summary>A live connection by its number; null: there is none.</summary>
    public LiveConnection? Find(long number)
    {
        lock (_lock)
        {
            for (var one = _first; one is not null; one = one.Next)
            {
                if (one.Context.Number == number)
                    return one;
            }

            return null;
        }
    }

    /// <summary>One of the last that ended, by its number; null: none of them.</summary>
    public ConnectionContext? FindRecent(long number)
    {
        lock (_lock)
            return Array.Find(_recent, one => one?.Number == number);
    }

    /// <summary>A number for the next connection; no other has it.</summary>
    public long NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>See <see cref="Stopping"/>.</summary>
    public Task DrainAsync() => _stopping.CancelAsync();

    /// <summary>Registered before it runs, so that no stop can miss it.</summary>
    public void Add(LiveConnection connection)
    {
        lock (_lock)
        {
            connection.Next = _first;
            if (_first is not null)
                _first.Previous = connection;
            _first = connection;
            _count++;
        }
    }

    /// <summary>Removes one that was added, once.</summary>
    public void Remove(LiveConnection connection)
    {
        lock (_lock)
        {
            if (connection.Previous is { } previous)
                previous.Next = connection.Next;
            else
                _first = connection.Next;
            if (connection.Next is { } next)
                next.Previous = connection.Previous;
            connection.Previous = connection.Next = null;
            _recent[_ended++ & (MaxRecent - 1)] = connection.Context;
            if (--_count == 0)
                _empty?.TrySetResult();
        }
    }

    public int EndTunnels(string workerId)
    {
        if (!_endWhenWorkerIsGone.Value)
            return 0;
        int ended = 0;
        foreach (var connection in TunnelsOf(workerId, onlyOverLink: false))
        {
            connection.Abort(TunnelEnd.WorkerGone);
            ended++;
        }

        return ended;
    }

    public bool HasTunnels(string workerId, bool onlyOverLink)
    {
        if (!_endWhenWorkerIsGone.Value)
            return false;
        lock (_lock)
        {
            for (var one = _first; one is not null; one = one.Next)
            {
                if (IsTunnelOf(one, workerId, onlyOverLink))
                    return true;
            }
        }

        return false;
    }

    public int EndSilent(string workerId, bool onlyOverLink, TimeSpan silence)
    {
        if (!_endWhenWorkerIsGone.Value)
            return 0;
        int ended = 0;
        foreach (var connection in TunnelsOf(workerId, onlyOverLink))
        {
            var counters = connection.Context.Counters;
            if (counters.FromClient + counters.FromUpstream > 0 && (counters.SinceMoved is not { } since || since < silence))
                continue;
            connection.Abort(TunnelEnd.WorkerGone);
            ended++;
        }

        return ended;
    }

    /// <summary>
    /// Ends those that came first of all that have not asked for anything, however long their listeners would wait: others wait for their
    /// places. None that is younger than <see cref="PatienceWithSilent"/>, or <see cref="PatienceInACrowd"/> where that is so all the time.
    /// </summary>
    /// <returns>How many; those of the last look where that was a moment ago.</returns>
    public int MakeRoom(TimeProvider time)
    {
        // Everybody is looked at, under the lock that coming and going take: not for each one that is let in while all places are taken.
        long now = time.GetTimestamp(), looked = Interlocked.Read(ref _roomLookedAt);
        if ((looked != 0 && time.GetElapsedTime(looked, now) < RoomLookInterval)
            || Interlocked.CompareExchange(ref _roomLookedAt, now, looked) != looked)
            return Volatile.Read(ref _roomFound);

        if (looked == 0 || time.GetElapsedTime(looked, now) > CrowdIsGone)
            Interlocked.Exchange(ref _crowdSince, now);
        bool isCrowd = time.GetElapsedTime(Interlocked.Read(ref _crowdSince), now) >= CrowdedAfter;

        // The list has the youngest first: of all that may go the last ones are kept, each in the place of one that is younger.
        var oldest = new LiveConnection[isCrowd ? MostToGiveWayInACrowd : MostToGiveWay];
        int found = 0;
        lock (_lock)
        {
            for (var one = _first; one is not null; one = one.Next)
            {
                var context = one.Context;
                var patience = context.Protocol != ClientProtocol.Unknown ? PatienceWithSlow
                    : isCrowd && SpeaksAtOnce(context) ? PatienceInACrowd : PatienceWithSilent;
                if (!context.HasRequest && time.GetElapsedTime(context.Started, now) >= patience)
                    oldest[found++ % oldest.Length] = one;
            }
        }

        found = Math.Min(found, oldest.Length);
        foreach (var one in oldest.AsSpan(0, found))
            one.GiveWay();
        Volatile.Write(ref _roomFound, found);
        return found;
    }

    /// <summary>Completes when no connection is left. Only meaningful once no new ones are accepted.</summary>
    public Task WhenEmptyAsync()
    {
        lock (_lock)
        {
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_count == 0)
                _empty.TrySetResult();
            return _empty.Task;
        }
    }

    public void Dispose() => _stopping.Dispose();

    /// <summary>Nothing goes before its request, for which it would have to hear from us or from a balancer.</summary>
    private static bool SpeaksAtOnce(ConnectionContext context) => context.Listener is { Tls: null, ProxyProtocol: null };

    private IEnumerable<LiveConnection> TunnelsOf(string workerId, bool onlyOverLink) =>
        All.Where(one => IsTunnelOf(one, workerId, onlyOverLink));

    private static bool IsTunnelOf(LiveConnection one, string workerId, bool onlyOverLink) =>
        one.Context is { IsTunnel: true } context && context.WorkerId == workerId && (!onlyOverLink || context.ViaLink);
}
