namespace TorBalancer.TorControl.Relays;

/// <summary>How tor's latest attempts at a circuit went, as far as they say whether it finds paths at all.</summary>
/// <param name="Sought">Circuits that were built or found no path, of the last minute, the latest ten at most.</param>
/// <param name="NotFound">Those of them that found no path (NOPATH).</param>
/// <param name="IsLost">Most of them and the latest one, at least three: this tor cannot build circuits now.</param>
internal readonly record struct PathTrend(int Sought, int NotFound, bool IsLost);

/// <summary>Keeps the trend. Not for several threads.</summary>
internal sealed class PathOutcomes(TimeProvider time, TimeSpan window)
{
    internal const int MaxOutcomes = 10;

    /// <summary>Fewer than this is a bad moment.</summary>
    internal const int MinNotFound = 3;

    private readonly Queue<(long Time, bool Found)> _outcomes = new();
    private bool _latestFound;

    public PathTrend Trend
    {
        get
        {
            while (_outcomes.TryPeek(out var first) && time.GetElapsedTime(first.Time) > window)
                _outcomes.Dequeue();
            int notFound = _outcomes.Count(static one => !one.Found);
            return new PathTrend(_outcomes.Count, notFound, notFound >= MinNotFound && notFound * 2 > _outcomes.Count && !_latestFound);
        }
    }

    public void Add(bool found)
    {
        if (_outcomes.Count == MaxOutcomes)
            _outcomes.Dequeue();
        _outcomes.Enqueue((time.GetTimestamp(), found));
        _latestFound = found;
    }

    public void Clear() => _outcomes.Clear();
}
