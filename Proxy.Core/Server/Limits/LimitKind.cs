using TorBalancer.Primitives;

namespace TorBalancer.Server.Limits;

/// <summary>The limits that a connection may be refused by; each is a key of [Listener:name], two of [User:name] as well.</summary>
internal enum LimitKind : byte
{
    MaxConnections,
    MaxConnectionsPerClient,
    MaxConnectionsPerUser,
    ConnectionRate,
    ConnectionRatePerClient,
    ConnectionRatePerUser,
}

/// <summary>What a limit is called, and how somebody is told of it.</summary>
internal static class LimitKinds
{
    /// <summary>Seconds after which it may be worth another try, where nobody knows when somebody will leave.</summary>
    private const int WhenSomebodyLeaves = 5;

    private static readonly string[] Words =
    [
        "max_connections", "max_connections_per_client", "max_connections_per_user", "connection_rate", "connection_rate_per_client",
        "connection_rate_per_user",
    ];

    public static IReadOnlyList<LimitKind> All { get; } = Enum.GetValues<LimitKind>();

    /// <summary>The key in snake_case: in metrics and in the API.</summary>
    public static string Word(this LimitKind kind) => Words[(int)kind];

    /// <summary>Why a connection is refused.</summary>
    /// <param name="wait">Until a further one would be let in; zero: as soon as another has ended.</param>
    public static ProxyError ToError(this LimitKind kind, TimeSpan wait)
    {
        double seconds = wait > TimeSpan.Zero ? Math.Ceiling(wait.TotalSeconds) : WhenSomebodyLeaves;
        bool isRate = kind is LimitKind.ConnectionRate or LimitKind.ConnectionRatePerClient or LimitKind.ConnectionRatePerUser;
        string detail = $"{(isRate ? "new connections come faster than" : "there are as many connections as")} the limit {kind} allows";
        return new ProxyError(isRate ? FailureCause.ConnectionRateExceeded : FailureCause.TooManyConnections, detail)
        {
            RetryAfter = (ushort)Math.Min(seconds, ushort.MaxValue),
        };
    }
}

/// <summary>How many connections each limit has refused. Counting is one atomic addition.</summary>
internal sealed class LimitCounts
{
    private readonly long[] _counts = new long[LimitKinds.All.Count];

    public long this[LimitKind kind] => Interlocked.Read(ref _counts[(int)kind]);

    public void Add(LimitKind kind) => Interlocked.Increment(ref _counts[(int)kind]);
}

/// <summary>Whether one more connection is let in.</summary>
/// <param name="Refused">The limit that keeps it out; null: it is let in.</param>
/// <param name="Wait">Until a further one would be let in; zero: as soon as another has ended.</param>
internal readonly record struct LimitVerdict(LimitKind? Refused, TimeSpan Wait = default)
{
    /// <summary>No error when it is let in.</summary>
    public ProxyError Error => Refused is { } kind ? kind.ToError(Wait) : default;
}
