using System.Threading.Channels;

namespace TorBalancer.Health.Alerts;

/// <summary>The stream of events: the latest are kept, and whoever subscribes hears of each new one. Never waits for a subscriber.</summary>
public sealed class HealthEvents
{
    private const int Kept = 200;

    private readonly Lock _lock = new();
    private readonly Queue<HealthEvent> _recent = new(Kept);
    private readonly List<Channel<HealthEvent>> _subscribers = [];

    /// <summary>The latest events, the newest last.</summary>
    public IReadOnlyList<HealthEvent> Recent
    {
        get
        {
            lock (_lock)
                return [.. _recent];
        }
    }

    /// <summary>Events from now on; a reader that is slower than 1,000 events loses the oldest. Complete it with <see cref="Unsubscribe"/>.</summary>
    public ChannelReader<HealthEvent> Subscribe()
    {
        var channel = Channel.CreateBounded<HealthEvent>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_lock)
            _subscribers.Add(channel);
        return channel.Reader;
    }

    public void Unsubscribe(ChannelReader<HealthEvent> reader)
    {
        lock (_lock)
        {
            int index = _subscribers.FindIndex(channel => channel.Reader == reader);
            if (index < 0)
                return;
            _subscribers[index].Writer.Complete();
            _subscribers.RemoveAt(index);
        }
    }

    internal void Publish(HealthEvent happened)
    {
        lock (_lock)
        {
            if (_recent.Count == Kept)
                _recent.Dequeue();
            _recent.Enqueue(happened);
            foreach (var subscriber in _subscribers)
                subscriber.Writer.TryWrite(happened);
        }
    }
}
