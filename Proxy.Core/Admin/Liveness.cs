using TorBalancer.Health;
using TorBalancer.Transport;

namespace TorBalancer.Admin;

/// <summary>
/// Whether what carries and judges traffic still moves: every event loop, the prober's loop and the health monitor. Each is asked for a
/// turn of its own, so that one that hangs or has ended is found, whatever the others do.
/// </summary>
internal sealed class Liveness
{
    private readonly TimeProvider _time;
    private readonly Part[] _parts;

    public Liveness(ITransport transport, HealthProber prober, HealthMonitor monitor, TimeProvider time)
    {
        _time = time;
        _parts =
        [
            new Part("the event loops", transport.WhenTurnedAsync),
            new Part("the health prober", prober.WhenTurnedAsync),

            // Takes its lock.
            new Part("the health monitor", () => Task.Run(() => _ = monitor.IsUplinkFrozen)),
        ];
    }

    /// <summary>What has not moved within the limit; null: everything does.</summary>
    public async Task<string?> FindStuckAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        Task[] turns = [.. _parts.Select(static part => part.AskAsync())];
        try
        {
            await Task.WhenAll(turns).WaitAsync(limit, _time, cancellationToken);
            return null;
        }
        catch (TimeoutException)
        {
            string stuck = string.Join(
                " and ", _parts.Zip(turns).Where(static one => !one.Second.IsCompleted).Select(static one => one.First.Name));
            return stuck.Length > 0 ? stuck : null;
        }
    }

    /// <summary>One that hangs is asked once, however often it is looked at.</summary>
    private sealed class Part(string name, Func<Task> ask)
    {
        private readonly Lock _lock = new();
        private Task? _turn;

        public string Name => name;

        public Task AskAsync()
        {
            lock (_lock)
                return _turn is { IsCompleted: false } ? _turn : _turn = ask();
        }
    }
}
