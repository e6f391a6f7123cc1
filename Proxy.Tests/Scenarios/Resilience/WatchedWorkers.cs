using TorBalancer.Testnet;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>The control-port events of all workers of the network.</summary>
internal sealed class WatchedWorkers : IAsyncDisposable
{
    private readonly Dictionary<string, TorEvents> _events = [];

    /// <summary>Of one worker.</summary>
    public TorEvents this[string worker] => _events[worker];

    public static async Task<WatchedWorkers> StartAsync(TestNetwork network, CancellationToken token)
    {
        var watched = new WatchedWorkers();
        foreach (var node in network.Workers)
            watched._events.Add(node.Name, await TorEvents.StartAsync(node, token));
        return watched;
    }

    /// <summary>Who opened the stream to that target, and how it went; waits until somebody has.</summary>
    public async Task<(string Worker, OpenedStream Stream)> OpenedAsync(string target, CancellationToken token)
    {
        while (true)
        {
            foreach (var (worker, events) in _events)
            {
                if (events.Find(target) is { } stream)
                    return (worker, stream);
            }

            await Task.Delay(10, token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var events in _events.Values)
            await events.DisposeAsync();
    }
}
