namespace TorBalancer.TorControl.Relays;

/// <summary>How often something happened within a time until now. Not for several threads.</summary>
/// <param name="capacity">Never counts further; memory stays bounded in a storm.</param>
internal sealed class SlidingCount(TimeProvider time, TimeSpan window, int capacity = 1024)
{
    private readonly Queue<long> _times = new();

    public int Count
    {
        get
        {
            Trim();
            return _times.Count;
        }
    }

    public void Add()
    {
        Trim();
        if (_times.Count == capacity)
            _times.Dequeue();
        _times.Enqueue(time.GetTimestamp());
    }

    public void Clear() => _times.Clear();

    private void Trim()
    {
        while (_times.TryPeek(out long first) && time.GetElapsedTime(first) > window)
            _times.Dequeue();
    }
}
