using System.Collections.Concurrent;

namespace TorBalancer.Server;

/// <summary>The counters of all listeners, by name: one that gets another model keeps its own.</summary>
internal sealed class ServerCounters
{
    private readonly ConcurrentDictionary<string, ListenerCounters> _listeners = new(StringComparer.Ordinal);

    /// <summary>Those of every listener that there was, by name.</summary>
    public IEnumerable<KeyValuePair<string, ListenerCounters>> All =>
        _listeners.OrderBy(static pair => pair.Key, StringComparer.Ordinal);

    public ListenerCounters Of(ListenerModel listener) => _listeners.GetOrAdd(listener.Name, static _ => new ListenerCounters());
}
