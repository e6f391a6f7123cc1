using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Connecting;

/// <summary>
/// After how long a second worker is asked as well: never, after a fixed time, or when the first is slower than nine of
/// ten recent connects were. Onion services take another order of time than other targets, so they are measured apart.
/// </summary>
/// <param name="options">[Connect] Hedge.</param>
/// <param name="onions">Says whether connects to onion services may be hedged; null: they may.</param>
internal sealed class HedgeDelay(Live<HedgeOptions> options, UnreadyOnionStreams? onions = null)
{
    /// <summary>The first hedges wait for some evidence; until then nothing is hedged.</summary>
    private const int MinSamples = 20;

    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(50);

    private readonly RecentTimes _onion = new();
    private readonly RecentTimes _other = new();

    /// <summary>Null: this connect is not hedged.</summary>
    public TimeSpan? For(HostEndPoint target) => options.Value switch
    {
        { Kind: not HedgeKind.Off } when target.IsOnion && onions is { MayHedge: false } => null,
        { Kind: HedgeKind.After, After: var after } => after,
        { Kind: HedgeKind.Adaptive } => Times(target).Percentile90() is { } p90 ? p90 < Shortest ? Shortest : p90 : null,
        _ => null,
    };

    public void Observe(HostEndPoint target, TimeSpan connectTime)
    {
        if (options.Value.Kind == HedgeKind.Adaptive)
            Times(target).Add(connectTime);
    }

    private RecentTimes Times(HostEndPoint target) => target.IsOnion ? _onion : _other;

    /// <summary>The last 128 times.</summary>
    private sealed class RecentTimes
    {
        private readonly Lock _lock = new();
        private readonly long[] _ticks = new long[128];
        private int _count;

        public void Add(TimeSpan time)
        {
            lock (_lock)
                _ticks[_count++ % _ticks.Length] = time.Ticks;
        }

        public TimeSpan? Percentile90()
        {
            Span<long> sorted = stackalloc long[128];
            lock (_lock)
            {
                if (_count < MinSamples)
                    return null;
                sorted = sorted[..Math.Min(_count, _ticks.Length)];
                _ticks.AsSpan(0, sorted.Length).CopyTo(sorted);
            }

            sorted.Sort();
            return TimeSpan.FromTicks(sorted[sorted.Length * 9 / 10]);
        }
    }
}
