using TorBalancer.Primitives;
using TorBalancer.Protocols.Dns;

namespace TorBalancer.Server.Naming;

/// <summary>What a worker said of a name or an address.</summary>
/// <param name="Code">NoError with a value; NameError without; anything else is not kept.</param>
/// <param name="Value">An address, or a name where an address was asked about.</param>
internal readonly record struct DnsFound(DnsCode Code, HostEndPoint? Value = null);

/// <summary>Whose answer to what.</summary>
/// <param name="Token">Who must not share a circuit with somebody must not learn from his answers what he asked for either.</param>
/// <param name="Host">A name or an address, in canonical form.</param>
internal readonly record struct DnsCacheKey(string Token, string Host);

/// <summary>
/// Answers for as long as they hold, and questions that are on their way: who asks the same meanwhile waits with them. Bounded; the one
/// that was used least recently makes room. Any thread.
/// </summary>
/// <param name="life">How long an answer holds; zero: only questions on their way are kept.</param>
internal sealed class DnsCache(TimeProvider time, TimeSpan life, int capacity = DnsCache.DefaultCapacity)
{
    /// <summary>Answers and questions, some 300 bytes each.</summary>
    public const int DefaultCapacity = 16_384;

    /// <summary>How long "there is no such name" holds at most: tor says it of a passing failure at the exit as well.</summary>
    public static readonly TimeSpan MostOfNothing = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<DnsCacheKey, LinkedListNode<Entry>> _entries = [];

    // The one that was used last comes first.
    private readonly LinkedList<Entry> _order = new();

    public int Count
    {
        get
        {
            lock (_lock)
                return _order.Count;
        }
    }

    /// <summary>The answer, and how long it holds yet; null: there is none, or it holds no longer.</summary>
    public (DnsFound Found, TimeSpan Left)? Find(in DnsCacheKey key)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var node) || !node.Value.Question.IsCompleted)
                return null;
            var left = node.Value.Life - time.GetElapsedTime(node.Value.Kept);
            if (left <= TimeSpan.Zero)
            {
                Remove_NeedsLock(node);
                return null;
            }

            _order.Remove(node);
            _order.AddFirst(node);
            return (node.Value.Question.Result, left);
        }
    }

    /// <summary>The answer to a question that is on its way, or is asked now.</summary>
    /// <param name="ask">Begins it; must not throw, nor its task fail.</param>
    /// <param name="isShared">Somebody else has asked it.</param>
    public async Task<(DnsFound Found, TimeSpan Left)> AskAsync(DnsCacheKey key, Func<Task<DnsFound>> ask, Action<bool> isShared)
    {
        Task<DnsFound> question;
        TaskCompletionSource<DnsFound>? ours = null;
        LinkedListNode<Entry>? node;
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out node) && !node.Value.Question.IsCompleted)
            {
                question = node.Value.Question;
            }
            else
            {
                if (node is not null)
                    Remove_NeedsLock(node);
                while (_order.Last is { } last && _order.Count >= capacity)
                    Remove_NeedsLock(last);
                ours = new TaskCompletionSource<DnsFound>(TaskCreationOptions.RunContinuationsAsynchronously);
                question = ours.Task;
                node = _order.AddFirst(new Entry(key, question));
                _entries.Add(key, node);
            }
        }

        isShared(ours is null);
        if (ours is null)
            return (await question, life);
        var found = await ask();
        var holds = found.Code switch
        {
            DnsCode.NoError => life,
            DnsCode.NameError => life < MostOfNothing ? life : MostOfNothing,
            _ => TimeSpan.Zero,
        };
        lock (_lock)
        {
            (node.Value.Kept, node.Value.Life) = (time.GetTimestamp(), holds);
            if (holds <= TimeSpan.Zero && ReferenceEquals(_entries.GetValueOrDefault(key), node))
                Remove_NeedsLock(node);
        }

        ours.SetResult(found);
        return (found, holds);
    }

    private void Remove_NeedsLock(LinkedListNode<Entry> node)
    {
        _order.Remove(node);
        _entries.Remove(node.Value.Key);
    }

    private sealed class Entry(DnsCacheKey key, Task<DnsFound> question)
    {
        public DnsCacheKey Key => key;

        public Task<DnsFound> Question => question;

        /// <summary>A timestamp of the answer.</summary>
        public long Kept { get; set; }

        /// <summary>How long it holds from then on.</summary>
        public TimeSpan Life { get; set; }
    }
}
