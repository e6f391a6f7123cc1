using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Readiness]: where load balancers and orchestrators ask whether to send clients here; may be reached from outside.</summary>
public sealed class ReadinessOptions
{
    /// <summary>host:port that answers GET /livez and GET /readyz; null: none. Default none.</summary>
    public IPEndPoint? Address { get; set; }

    /// <summary>host:port that gives each connection HAProxy's agent-check line; null: none. Default none.</summary>
    public IPEndPoint? Agent { get; set; }
}
