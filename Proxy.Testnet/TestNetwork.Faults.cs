using System.Collections.Concurrent;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet;

/// <summary>What tests do to a running network, one node at a time, by name.</summary>
internal sealed partial class TestNetwork
{
    private readonly ConcurrentDictionary<int, Task> _watches = new();

    /// <summary>The node of that name. Throws <see cref="ArgumentException"/> when there is none.</summary>
    public TestNode Node(string name) =>
        Nodes.FirstOrDefault(n => n.Name == name) ?? throw new ArgumentException($"no node is called {name}", nameof(name));

    /// <summary>SIGSTOP: connections to it are still accepted, and nothing is answered.</summary>
    public void Pause(string name) => Node(name).Pause();

    /// <summary>SIGCONT.</summary>
    public void Resume(string name) => Node(name).Resume();

    /// <summary>SIGKILL: connections to it are reset, later ones refused. Returns when it is gone.</summary>
    public async Task KillAsync(string name)
    {
        TestNode node = Node(name);
        Log.Killed(_logger, name, node.ProcessId);
        _watches.TryRemove(node.ProcessId, out Task? watch);
        await node.KillAsync();
        await (watch ?? Task.CompletedTask);
    }

    /// <summary>Ends it if it runs, starts it on the same data and waits until it serves: about a second for a worker.</summary>
    public async Task RestartAsync(string name, CancellationToken cancellationToken = default)
    {
        TestNode node = Node(name);
        await _changing.WaitAsync(cancellationToken);
        try
        {
            _watches.TryRemove(node.ProcessId, out Task? watch);
            await node.StopAsync();
            await (watch ?? Task.CompletedTask);
            await _starter!.RestartAsync(node, cancellationToken);
            Watch(node);
            Log.Restarted(_logger, name, node.ProcessId);
        }
        finally
        {
            _changing.Release();
        }
    }

    private void Watch(TestNode node) => _watches[node.ProcessId] = WatchAsync(node, node.ProcessId);

    /// <summary>Tells of a node that ended and was not meant to.</summary>
    private async Task WatchAsync(TestNode node, int processId)
    {
        int code = await node.Exited;
        if (_disposed == 0 && _watches.ContainsKey(processId))
            Log.NodeEnded(_logger, node.Name, processId, code, string.Join(" | ", node.LastLines.TakeLast(3)));
    }
}
