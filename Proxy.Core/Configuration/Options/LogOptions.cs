namespace TorBalancer.Configuration.Options;

/// <summary>[Log]: what is written, and where.</summary>
public sealed class LogOptions
{
    /// <summary>trace, debug, info, warn or error. Default info.</summary>
    public string Level { get; set; } = "info";

    /// <summary>text or json. Default text.</summary>
    public string Format { get; set; } = "text";

    /// <summary>A file (absolute path) to write to besides standard output; empty: none.</summary>
    public string File { get; set; } = "";

    /// <summary>One line per connection at level info. Default true.</summary>
    public bool Access { get; set; } = true;

    /// <summary>Show target hosts and client addresses in the log. Default false: they are what people use Tor to hide.</summary>
    public bool Targets { get; set; }
}
