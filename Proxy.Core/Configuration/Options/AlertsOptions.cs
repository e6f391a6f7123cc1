namespace TorBalancer.Configuration.Options;

/// <summary>[Alerts]: who is told of changes besides the log.</summary>
public sealed class AlertsOptions
{
    /// <summary>
    /// An http or https URL that gets each event as JSON by POST; empty: none. Its host is an IP address or localhost: a name
    /// would have to be resolved outside Tor. The request itself does not go through Tor either.
    /// </summary>
    public string Webhook { get; set; } = "";

    /// <summary>A command line for /bin/sh, run with the event in its environment; empty: none.</summary>
    public string Command { get; set; } = "";

    /// <summary>
    /// The least time between two alerts of one worker and one kind; those in between are counted. Default 1 min, up to 24 h.
    /// </summary>
    public TimeSpan MinInterval { get; set; } = TimeSpan.FromMinutes(1);
}
