using System.Threading.Channels;

namespace TorBalancer.Health.Alerts;

/// <summary>
/// Brings events to the sinks, one after the other, at most one per worker and kind in <paramref name="minInterval"/>. A
/// change of state to another state than the last sent one is a kind of its own: a recovery is not held back by the
/// failure before it. What was held back is counted in the next one.
/// </summary>
internal sealed class AlertDispatcher(
    HealthEvents events, IReadOnlyList<IAlertSink> sinks, TimeSpan minInterval, TimeProvider time) : IAsyncDisposable
{
    private readonly Dictionary<(string Worker, HealthEventKind Kind, string To), (long SentAt, int HeldBack)> _sent = [];
    private readonly CancellationTokenSource _stop = new();
    private ChannelReader<HealthEvent>? _reader;
    private Task? _running;

    /// <summary>Begins. Without sinks there is nothing to do.</summary>
    public void Start()
    {
        if (sinks.Count == 0)
            return;
        _reader = events.Subscribe();
        _running = RunAsync(_reader);
    }

    public async ValueTask DisposeAsync()
    {
        if (_reader is not null)
            events.Unsubscribe(_reader);
        await _stop.CancelAsync();
        if (_running is not null)
            await _running;
        foreach (var sink in sinks.OfType<IDisposable>())
            sink.Dispose();
    }

    private async Task RunAsync(ChannelReader<HealthEvent> reader)
    {
        try
        {
            await foreach (var happened in reader.ReadAllAsync(_stop.Token))
            {
                if (Admit(happened) is not { } admitted)
                    continue;
                foreach (var sink in sinks)
                    await sink.SendAsync(admitted, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private HealthEvent? Admit(HealthEvent happened)
    {
        var key = (happened.Worker, happened.Kind, happened.To);
        long now = time.GetTimestamp();
        if (_sent.TryGetValue(key, out var last) && time.GetElapsedTime(last.SentAt, now) < minInterval)
        {
            _sent[key] = last with { HeldBack = last.HeldBack + 1 };
            return null;
        }

        _sent[key] = (now, 0);
        return happened with { Suppressed = last.HeldBack };
    }
}
