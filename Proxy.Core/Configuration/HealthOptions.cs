namespace TorBalancer.Configuration;

/// <summary>[Health]: how workers are judged.</summary>
public sealed class HealthOptions
{
    /// <summary>Counted failures, the first one included, that make a SUSPECT worker DEAD. Default 3, 1 to 100.</summary>
    public int FailureThreshold { get; set; } = 3;

    /// <summary>Complete probe sequences in a row that make a worker in RECOVERY HEALTHY. Default 2, 1 to 100.</summary>
    public int SuccessThreshold { get; set; } = 2;

    /// <summary>The longest a worker stays SUSPECT. Default 30 s.</summary>
    public TimeSpan SuspectWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Time between probes of a healthy worker. Default 10 s.</summary>
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Waits between recovery attempts; the last one repeats. Default 1, 2, 4, 8, 16, 32, 60 s.</summary>
    public IList<TimeSpan> RecoveryBackoff { get; set; } =
    [
        TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(8),
        TimeSpan.FromSeconds(16), TimeSpan.FromSeconds(32), TimeSpan.FromSeconds(60),
    ];

    /// <summary>Targets that a circuit probe fetches: host:port or http(s)://…; one is taken at a time.</summary>
    public IList<string> Canary { get; set; } = ["https://check.torproject.org/"];

    /// <summary>An optional onion service to probe as well, host:port (the loader adds :80) or http(s)://…; empty: none.</summary>
    public string OnionCanary { get; set; } = "";
}
