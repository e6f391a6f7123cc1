using System.Net;
using TorBalancer.Transport;

namespace TorBalancer.TorControl.Relays;

/// <summary>Where a worker's control port is and how to get in.</summary>
/// <param name="WorkerId">The worker.</param>
/// <param name="EndPoint">TCP or a unix socket.</param>
/// <param name="Credentials">Cookie or password.</param>
/// <param name="Binding">The link to bind to, for a port behind one.</param>
internal sealed record ControlPortTarget(string WorkerId, EndPoint EndPoint, ControlCredentials Credentials, SocketBinding Binding)
{
    /// <summary>Where its exits are said to be: two letters in lower case; empty: nothing is said.</summary>
    public string Country { get; init; } = "";
}
