using System.Threading.Channels;
using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl;

/// <summary>
/// One consumer's queue of events. The reader of the connection never waits for a consumer: when the queue is full, new
/// events are dropped and counted, and the consumer finds one <see cref="EventsLostEvent"/> in their place as soon as
/// there is room. The events that it does get are in order. The queue ends when the connection does.
/// </summary>
internal sealed class ControlSubscription : IDisposable
{
    private readonly Channel<ControlEvent> _channel;
    private readonly Action<ControlSubscription> _unsubscribe;
    private long _lost;

    internal ControlSubscription(int capacity, Action<ControlSubscription> unsubscribe)
    {
        _unsubscribe = unsubscribe;
        _channel = Channel.CreateBounded<ControlEvent>(new BoundedChannelOptions(capacity)
        {
            SingleWriter = true,
            AllowSynchronousContinuations = false,
        });
    }

    public ChannelReader<ControlEvent> Events => _channel.Reader;

    public void Dispose()
    {
        _unsubscribe(this);
        _channel.Writer.TryComplete();
    }

    /// <summary>Called by the connection's reader only. False: the event was dropped, and it is the first in a row.</summary>
    internal bool Publish(ControlEvent message)
    {
        if (_lost > 0 && _channel.Writer.TryWrite(new EventsLostEvent(_lost)))
            _lost = 0;
        if (_lost == 0 && _channel.Writer.TryWrite(message))
            return true;
        return ++_lost > 1;
    }

    internal void Complete() => _channel.Writer.TryComplete();
}
