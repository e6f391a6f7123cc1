using System.Globalization;

namespace TorBalancer.Admin.Events;

/// <summary>
/// The latest events, for whoever follows them. Nobody is waited for: a reader takes what is there from where he stands, and who is too
/// slow finds that it has gone. Thread-safe.
/// </summary>
internal sealed class EventHub(TimeProvider time)
{
    /// <summary>Events that are kept.</summary>
    public const int Capacity = 1000;

    private readonly Lock _lock = new();
    private readonly AdminEvent?[] _ring = new AdminEvent?[Capacity];
    private long _last;
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Of this run of the daemon: the numbers of another are other events.</summary>
    public string Run { get; } = time.GetUtcNow().ToUnixTimeMilliseconds().ToString("x", CultureInfo.InvariantCulture);

    /// <summary>The number of the latest; 0: there was none.</summary>
    public long Last => Volatile.Read(ref _last);

    /// <summary>The number of the oldest that is kept; 1 before the first.</summary>
    public long Oldest => Math.Max(1, Last - Capacity + 1);

    /// <summary>Completes at the next event; take it before reading.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    public void Publish(string kind, string level, string message, IReadOnlyList<KeyValuePair<string, object?>> values)
    {
        TaskCompletionSource previous;
        lock (_lock)
        {
            long number = _last + 1;
            _ring[number % Capacity] = new AdminEvent(number, time.GetUtcNow(), kind, level, message, values);
            Volatile.Write(ref _last, number);
            previous = _changed;
            Volatile.Write(ref _changed, NewSignal());
        }

        previous.TrySetResult();
    }

    /// <summary>The events behind a number, the oldest first, at most so many. None also when the next one is not kept any more.</summary>
    /// <param name="lost">True when it is not.</param>
    public IReadOnlyList<AdminEvent> Read(long after, int atMost, out bool lost)
    {
        lock (_lock)
        {
            lost = after + 1 < Oldest;
            int count = lost ? 0 : (int)Math.Min(_last - after, atMost);
            var events = new List<AdminEvent>(Math.Max(count, 0));
            for (int i = 1; i <= count; i++)
                events.Add(_ring[(after + i) % Capacity]!);
            return events;
        }
    }

    /// <summary>The id of an event outside: it names the run as well.</summary>
    public string IdOf(AdminEvent happened) => string.Create(CultureInfo.InvariantCulture, $"{Run}-{happened.Number}");

    /// <summary>Reads an id; false: it is none.</summary>
    public static bool TryParse(string id, out EventPosition position)
    {
        position = default;
        int dash = id.IndexOf('-', StringComparison.Ordinal);
        if (dash <= 0 || !long.TryParse(id.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            return false;
        position = new EventPosition(id[..dash], number);
        return true;
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
