namespace TorBalancer.Configuration.Options;

/// <summary>[Connect]: how long and how often it is tried before the client hears a failure.</summary>
public sealed class ConnectOptions
{
    /// <summary>One deadline over all attempts. Default 90 s (an onion service takes 5-60 s), 1 s to 10 min.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>How many workers may be tried. Default 3, 1 to 16.</summary>
    public int Attempts { get; set; } = 3;

    /// <summary>
    /// The longest that one worker may take before another is tried. Default 45 s; tor itself retries after 10-25 s. Never more
    /// than <see cref="Timeout"/>.
    /// </summary>
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromSeconds(45);

    /// <summary>
    /// How long a worker may take to accept the connection and to answer the SOCKS greeting, which is local to it. Default 5 s.
    /// </summary>
    public TimeSpan WorkerTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>When a second worker is asked before the first has answered. Default off.</summary>
    public HedgeOptions Hedge { get; set; }

    /// <summary>Retries (hedges included) as a percentage of connections over ten seconds. Default 20, 0 to 100.</summary>
    public int RetryBudget { get; set; } = 20;

    /// <summary>Retries per second that are allowed whatever the budget says. Default 10, 0 to 10000.</summary>
    public int RetryFloor { get; set; } = 10;

    /// <summary>
    /// Connections that are made in advance for each worker that is reached over a network, at most: they save a round trip. As many
    /// as were used in the last seconds; none for a worker on this machine. Default 8, 0 (none) to 64.
    /// </summary>
    public int PreConnect { get; set; } = 8;
}
