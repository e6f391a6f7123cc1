using System.Threading.Channels;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Health.Alerts;

/// <summary>
/// Brings events to the sinks, one after the other, at most one per worker and kind in <paramref name="minInterval"/>. A
/// change of state to another state than the last sent one is a kind of its own: a recovery is not held back by the
/// failure before it. What was held back is counted in the next one.
/// </summary>
internal sealed class AlertDispatcher(
    HealthEvents events, IReadOnlyList<IAlertSink> sinks, Live<TimeSpan> minInterval, TimeProvider time) : IAsyncDisposable
{
    private readonly Dictionary<(string Worker, HealthEventKind Kind, string To), (long SentAt, int HeldBack)> _sent = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<IAlertSink> _retired = [];
    private IReadOnlyList<IAlertSink> _sinks = sinks;
    private ChannelReader<HealthEvent>? _reader;
    private Task? _running;

    /// <summary>Begins.</summary>
    public void Start()
    {
        _reader = events.Subscribe();
        _running = RunAsync(_reader);
    }

    /// <summary>Others are told from the next event on. The old ones end what they are at, and are disposed of then.</summary>
    public void Replace(IReadOnlyList<IAlertSink> next)
    {
        lock (_lock)
        {
            _retired.AddRange(_sinks);
            _sinks = next;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_reader is not null)
            events.Unsubscribe(_reader);
        await _stop.CancelAsync();
        if (_running is not null)
            await _running;
        Replace([]);
        _ = Current();
    }

    /// <summary>Called when none of them is at work.</summary>
    private IReadOnlyList<IAlertSink> Current()
    {
        lock (_lock)
        {
            foreach (var sink in _retired.OfType<IDisposable>())
                sink.Dispose();
            _retired.Clear();
            return _sinks;
        }
    }

    private async Task RunAsync(ChannelReader<HealthEvent> reader)
    {
        try
        {
            await foreach (var happened in reader.ReadAllAsync(_stop.Token))
            {
                if (Admit(happened) is not { } admitted)
                    continue;
                foreach (var sink in Current())
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
        if (_sent.TryGetValue(key, out var last) && time.GetElapsedTime(last.SentAt, now) < minInterval.Value)
        {
            _sent[key] = last with { HeldBack = last.HeldBack + 1 };
            return null;
        }

        _sent[key] = (now, 0);
        return happened with { Suppressed = last.HeldBack };
    }
}
