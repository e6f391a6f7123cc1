using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Transport;

namespace TorBalancer.Workers;

/// <summary>Kinds of address that a link carries, or that a connection needs it to carry.</summary>
[Flags]
public enum LinkFamilies : byte
{
    None = 0,
    IPv4 = 1,
    IPv6 = 2,
    Any = IPv4 | IPv6,
}

/// <summary>
/// The WireGuard link to a worker. What goes over it is bound to the interface and to our address on it: when either is
/// gone, connecting fails, and nothing can leave by another way.
/// </summary>
/// <param name="Interface">The interface on this machine.</param>
/// <param name="HostAddress4">Our IPv4 address on it; null: it carries no IPv4.</param>
/// <param name="HostAddress6">Our IPv6 address on it; null: it carries no IPv6.</param>
/// <param name="WorkerAddress">The worker's own address on it: whatever goes there takes the link; null: not known.</param>
/// <param name="Dns">The worker's DNSPort on it; null: names are resolved over its SocksPort.</param>
public sealed record WireGuardLink(
    string Interface, IPAddress? HostAddress4, IPAddress? HostAddress6 = null, IPAddress? WorkerAddress = null, IPEndPoint? Dns = null)
{
    /// <summary>The link of a configured worker; null: it has none.</summary>
    public static WireGuardLink? Of(WorkerOptions options) => options.WgInterface.Length == 0 ? null : new WireGuardLink(
        options.WgInterface,
        options.WgHostAddresses.FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetwork),
        options.WgHostAddresses.FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetworkV6),
        options.WgWorkerAddress,
        options.DnsEndPoint);

    public LinkFamilies Families =>
        (HostAddress4 is null ? LinkFamilies.None : LinkFamilies.IPv4) | (HostAddress6 is null ? LinkFamilies.None : LinkFamilies.IPv6);

    /// <summary>True when an address of this family can be reached over it.</summary>
    public bool Carries(AddressFamily family) => HostAddress(family) is not null;

    public IPAddress? HostAddress(AddressFamily family) => family == AddressFamily.InterNetworkV6 ? HostAddress6 : HostAddress4;

    /// <summary>A connection over the link and no other way. The family must be one that it carries.</summary>
    public TransportConnectRequest To(IPEndPoint remote) => new(remote, HostAddress(remote.AddressFamily), Interface);

    public override string ToString() => $"{Interface} ({HostAddress4 ?? HostAddress6})";
}
