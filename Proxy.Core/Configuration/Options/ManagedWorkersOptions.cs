namespace TorBalancer.Configuration.Options;

/// <summary>[ManagedWorkers]: tor processes that the daemon starts itself when no [Worker:…] is configured.</summary>
public sealed class ManagedWorkersOptions
{
    /// <summary>How many tor processes one daemon starts at the most.</summary>
    public const int MostWorkers = 32;

    /// <summary>How many. Default 3, 0 (off) to 32. Each brings its own guards: few are better.</summary>
    public int Count { get; set; } = 3;

    /// <summary>
    /// auto or a path. Default auto: the service's state directory, else the user's. Kept between runs: it holds the guards.
    /// </summary>
    public string DataDirectory { get; set; } = "auto";

    /// <summary>The tor executable: auto (searched in PATH) or a path.</summary>
    public string TorPath { get; set; } = "auto";

    /// <summary>
    /// Where the exits of how many of them are, in order; empty: anywhere. Their sum is <see cref="Count"/>, 1 to 32.
    /// </summary>
    public IReadOnlyList<CountryShare> Countries { get; set; } = [];

    /// <summary>A file with one bridge line for each line; empty: none.</summary>
    public string BridgesFile { get; set; } = "";

    /// <summary>Bridges that are given in the configuration itself.</summary>
    public IReadOnlyList<BridgeLine> Bridges { get; set; } = [];

    /// <summary>Programs for transports of bridges, instead of those that are looked for in PATH.</summary>
    public IReadOnlyList<TransportProgram> Transports { get; set; } = [];

    /// <summary>A file with further torrc lines for each managed worker (ReachableAddresses, for instance); empty: none.</summary>
    public string ExtraTorrc { get; set; } = "";
}

/// <summary>Some managed workers with exits in one country.</summary>
/// <param name="Country">Its two letters in lower case; empty: any.</param>
/// <param name="Count">How many workers, 1 to 32.</param>
public sealed record CountryShare(string Country, int Count);

/// <summary>A bridge: a way into the Tor network that no public list has.</summary>
/// <param name="Text">As torrc has it behind "Bridge ".</param>
/// <param name="Transport">Its pluggable transport, such as obfs4; null: none, Tor's own protocol is spoken.</param>
public sealed record BridgeLine(string Text, string? Transport)
{
    /// <summary>In its file, from 1; 0: it stands in the configuration itself.</summary>
    public int Line { get; init; }
}

/// <summary>The program of a pluggable transport.</summary>
/// <param name="Transport">The transport's name.</param>
/// <param name="Command">A path, and perhaps arguments, separated by spaces.</param>
public sealed record TransportProgram(string Transport, string Command);
