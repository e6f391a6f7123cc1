using System.Collections.Concurrent;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>Knows every live connection, so that views can list them and stopping can wait for them.</summary>
internal sealed class ConnectionRegistry(bool endWhenWorkerIsGone) : IWorkerConnections
{
    private readonly ConcurrentDictionary<string, ClientConnection> _live = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private TaskCompletionSource? _empty;

    public int Count => _live.Count;

    public IEnumerable<ClientConnection> All => _live.Values;

    /// <summary>Registered before it runs, so that no stop can miss it.</summary>
    public void Add(ClientConnection connection) => _live.TryAdd(connection.Context.Id, connection);

    public void Remove(ClientConnection connection)
    {
        if (!_live.TryRemove(connection.Context.Id, out _) || !_live.IsEmpty)
            return;
        lock (_lock)
            _empty?.TrySetResult();
    }

    public int EndTunnels(string workerId)
    {
        if (!endWhenWorkerIsGone)
            return 0;
        int ended = 0;
        foreach (var connection in _live.Values)
        {
            if (connection.Context is { IsTunnel: true } context && context.WorkerId == workerId)
            {
                connection.Abort(TunnelEnd.WorkerGone);
                ended++;
            }
        }

        return ended;
    }

    /// <summary>Completes when no connection is left. Only meaningful once no new ones are accepted.</summary>
    public Task WhenEmptyAsync()
    {
        lock (_lock)
        {
            // Created before the count is read: a removal in between sees it and completes it.
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_live.IsEmpty)
                _empty.TrySetResult();
            return _empty.Task;
        }
    }
}
