using System.Net.Sockets;
using TorBalancer.Primitives;

namespace TorBalancer.Health;

/// <summary>What probes prove; what failures of connections prove stands in <see cref="FailureCauses"/>.</summary>
internal static class GoneProofs
{
    /// <summary>What a connect to a port of the worker's own says.</summary>
    public static GoneProof FromConnect(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => GoneProof.Refused,
        SocketError.HostUnreachable or SocketError.HostDown => GoneProof.Unreachable,
        _ => GoneProof.None,
    };
}
