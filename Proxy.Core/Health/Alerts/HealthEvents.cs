using System.Threading.Channels;

namespace TorBalancer.Health.Alerts;

/// <summary>The stream of events: whoever subscribes hears of each new one. Never waits for a subscriber.</summary>
public sealed class HealthEvents
{
    private readonly Lock _lock = new();
    private readonly List<Channel<HealthEvent>> _subscribers = [];

    /// <summary>
    /// Events from now on; a reader that is slower than 1,000 events loses the oldest. Complete it with <see cref="Unsubscribe"/>.
    /// </summary>
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
            foreach (var subscriber in _subscribers)
                subscriber.Writer.TryWrite(happened);
        }
    }
}
