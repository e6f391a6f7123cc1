using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Health]: how workers are judged.</summary>
public sealed class HealthOptions
{
    /// <summary>False: nothing is probed and no failure lowers a worker. Default true.</summary>
    public bool Enabled { get; set; } = true;

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

    /// <summary>
    /// Addresses that answer when this machine has a network at all; empty: that is judged by all workers failing at once.
    /// Never names, because nothing may be looked up.
    /// </summary>
    public IList<IPEndPoint> Connectivity { get; set; } = [];

    /// <summary>The longest that one canary may take: a circuit is built for it. Default 30 s, 100 ms to 5 min.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest that reaching the host, the SOCKS greeting and the control port may each take. Default 5 s, 100 ms to 5 min.
    /// </summary>
    public TimeSpan StepTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest that a worker's ReconnectCommand may run. Default 1 min, 1 s to 1 h.</summary>
    public TimeSpan ReconnectTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a worker that came back takes to its full share; zero: at once. Default 30 s, up to 1 h.</summary>
    public TimeSpan SlowStart { get; set; } = TimeSpan.FromSeconds(30);
}
