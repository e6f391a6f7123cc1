using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>
/// Knows every live connection, so that views can list them and stopping can wait for them: a list through the connections
/// themselves, because most of them are idle tunnels, and those are to take little.
/// </summary>
internal sealed class ConnectionRegistry(bool endWhenWorkerIsGone) : IWorkerConnections
{
    private readonly Lock _lock = new();
    private ClientConnection? _first;
    private int _count;
    private TaskCompletionSource? _empty;

    public int Count => Volatile.Read(ref _count);

    /// <summary>Those that live at this moment.</summary>
    public IReadOnlyList<ClientConnection> All
    {
        get
        {
            lock (_lock)
            {
                var all = new List<ClientConnection>(_count);
                for (var one = _first; one is not null; one = one.NextLive)
                    all.Add(one);
                return all;
            }
        }
    }

    /// <summary>Registered before it runs, so that no stop can miss it.</summary>
    public void Add(ClientConnection connection)
    {
        lock (_lock)
        {
            connection.NextLive = _first;
            if (_first is not null)
                _first.PreviousLive = connection;
            _first = connection;
            _count++;
        }
    }

    /// <summary>Removes one that was added, once.</summary>
    public void Remove(ClientConnection connection)
    {
        lock (_lock)
        {
            if (connection.PreviousLive is { } previous)
                previous.NextLive = connection.NextLive;
            else
                _first = connection.NextLive;
            if (connection.NextLive is { } next)
                next.PreviousLive = connection.PreviousLive;
            connection.PreviousLive = connection.NextLive = null;
            if (--_count == 0)
                _empty?.TrySetResult();
        }
    }

    public int EndTunnels(string workerId)
    {
        if (!endWhenWorkerIsGone)
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
        if (!endWhenWorkerIsGone)
            return false;
        lock (_lock)
        {
            for (var one = _first; one is not null; one = one.NextLive)
            {
                if (IsTunnelOf(one, workerId, onlyOverLink))
                    return true;
            }
        }

        return false;
    }

    public int EndSilent(string workerId, bool onlyOverLink, TimeSpan silence)
    {
        if (!endWhenWorkerIsGone)
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

    private IEnumerable<ClientConnection> TunnelsOf(string workerId, bool onlyOverLink) =>
        All.Where(one => IsTunnelOf(one, workerId, onlyOverLink));

    private static bool IsTunnelOf(ClientConnection one, string workerId, bool onlyOverLink) =>
        one.Context is { IsTunnel: true } context && context.WorkerId == workerId && (!onlyOverLink || context.ViaLink);
}
