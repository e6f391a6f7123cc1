using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Publisher]: the tor by which descriptors are fetched and published, and who may ask how that goes.</summary>
public sealed class PublisherOptions
{
    /// <summary>
    /// Whether the publisher starts a tor of its own; null (auto): it does unless <see cref="ControlEndPoint"/> is given. Default null.
    /// </summary>
    public bool? Managed { get; set; }

    /// <summary>What <see cref="Managed"/> comes to.</summary>
    public bool IsManaged => Managed ?? ControlEndPoint is null;

    /// <summary>The control port of a tor that nobody else uses; null: none.</summary>
    public EndPoint? ControlEndPoint { get; set; }

    /// <summary>Path of the control port's cookie file; empty: the path that tor itself names.</summary>
    public string ControlCookie { get; set; } = "";

    /// <summary>The control port's password; empty: none.</summary>
    public string ControlPassword { get; set; } = "";

    /// <summary>
    /// The SOCKS port that health checks go through, a worker's for instance; null: the managed tor's, which has one only for them.
    /// </summary>
    public EndPoint? SocksEndPoint { get; set; }

    /// <summary>auto, none or unix:/path. Default auto: the service's runtime directory, else the user's.</summary>
    public string Status { get; set; } = "auto";

    /// <summary>
    /// Where the managed tor keeps its guards, and the publisher which instances are drained: auto or a path. Default auto: the service's
    /// state directory, else the user's.
    /// </summary>
    public string DataDirectory { get; set; } = "auto";

    /// <summary>The tor executable of the managed tor: auto (searched in PATH) or a path.</summary>
    public string TorPath { get; set; } = "auto";

    /// <summary>A file with further torrc lines for the managed tor; empty: none.</summary>
    public string ExtraTorrc { get; set; } = "";
}
