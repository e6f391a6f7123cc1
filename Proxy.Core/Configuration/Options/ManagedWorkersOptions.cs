namespace TorBalancer.Configuration.Options;

/// <summary>[ManagedWorkers]: tor processes that the daemon starts itself when no [Worker:…] is configured.</summary>
public sealed class ManagedWorkersOptions
{
    /// <summary>How many. Default 3, 0 (off) to 32. Each brings its own guards: few are better.</summary>
    public int Count { get; set; } = 3;

    /// <summary>
    /// auto or a path. Default auto: the service's state directory, else the user's. Kept between runs: it holds the guards.
    /// </summary>
    public string DataDirectory { get; set; } = "auto";

    /// <summary>The tor executable: auto (searched in PATH) or a path.</summary>
    public string TorPath { get; set; } = "auto";

    /// <summary>A file with further torrc lines for each managed worker (bridges, for instance); empty: none.</summary>
    public string ExtraTorrc { get; set; } = "";
}
