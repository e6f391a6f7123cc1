using System.Collections.Concurrent;

namespace TorBalancer.Testnet.Dns;

/// <summary>
/// The names that the exits of a test network have asked for, the newest last: what a real exit's name server would have learned.
/// Bounded, because a network may run for days.
/// </summary>
internal sealed class DnsQuestionLog
{
    /// <summary>More than a test asks for.</summary>
    private const int MaxKept = 10_000;

    private readonly ConcurrentQueue<string> _names = new();

    /// <summary>A copy, each as it came: tor mixes letter cases (0x20).</summary>
    public IReadOnlyList<string> Names => [.. _names];

    public void Add(string name)
    {
        _names.Enqueue(name);
        if (_names.Count > MaxKept)
            _names.TryDequeue(out _);
    }
}
