namespace TorBalancer.TorControl.Warm;

/// <summary>How many fresh circuits were needed lately. Driven by its clock alone; not for several threads.</summary>
internal sealed class FreshDemand(TimeProvider time)
{
    /// <summary>What was needed longer ago than this says nothing about what will be.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(1);

    /// <summary>A rise is to be followed within seconds, a fall need not be; hence two windows, of which the busier counts.</summary>
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(4), Long = TimeSpan.FromSeconds(20);

    /// <summary>Within less than this a rate is chance.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    /// <summary>20 a second for a minute; beyond it the caps decide anyhow.</summary>
    private const int Capacity = 1200;

    private readonly Queue<long> _times = new();
    private long _began;
    private long? _last;

    /// <summary>Circuits that were needed in the last minute.</summary>
    public int LastMinute
    {
        get
        {
            Trim();
            return _times.Count;
        }
    }

    /// <summary>True when there has been some for a minute or longer without a minute's pause.</summary>
    public bool IsSteady => LastMinute > 0 && time.GetElapsedTime(_began) >= Memory;

    /// <summary>Circuits needed a second; 0 after a minute of none.</summary>
    public double PerSecond
    {
        get
        {
            Trim();
            return _times.Count == 0 ? 0 : Math.Max(RateOver(Short), RateOver(Long));
        }
    }

    public void Add()
    {
        Trim();
        if (_times.Count == 0)
            _began = time.GetTimestamp();
        else if (_times.Count == Capacity)
            _times.Dequeue();
        _times.Enqueue(time.GetTimestamp());
        _last = time.GetTimestamp();
    }

    /// <summary>True when there was some within so much time.</summary>
    public bool WasWithin(TimeSpan span) => _last is { } at && time.GetElapsedTime(at) <= span;

    private double RateOver(TimeSpan window)
    {
        var busy = time.GetElapsedTime(_began);
        var span = busy < Least ? Least : busy < window ? busy : window;
        long now = time.GetTimestamp();
        int count = 0;
        foreach (long at in _times)
        {
            if (time.GetElapsedTime(at, now) <= span)
                count++;
        }

        return count / span.TotalSeconds;
    }

    private void Trim()
    {
        while (_times.TryPeek(out long first) && time.GetElapsedTime(first) > Memory)
            _times.Dequeue();
    }
}
