using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Transport;

namespace TorBalancer.Workers;

/// <summary>What is configured of a worker; replaced as a whole on reload.</summary>
/// <param name="Id">The name of its section; identity across reloads.</param>
/// <param name="SocksEndPoint">Where it speaks SOCKS5: an IP or unix address, never a name.</param>
/// <param name="Weight">Its share relative to the others, 1-100.</param>
/// <param name="Country">Lower-case country code of its exits, or empty.</param>
/// <param name="IsManaged">True when the daemon started it.</param>
/// <param name="ControlEndPoint">Its control port, an IP or unix address; null: none, or not known yet.</param>
/// <param name="Link">The WireGuard link to it; null: none.</param>
public sealed record WorkerModel(
    string Id, EndPoint SocksEndPoint, int Weight = 1, string Country = "", bool IsManaged = false,
    EndPoint? ControlEndPoint = null, WireGuardLink? Link = null)
{
    /// <summary>The control port's cookie file; null: where tor says it is.</summary>
    public string? ControlCookie { get; init; }

    /// <summary>The control port's password; null: none.</summary>
    public string? ControlPassword { get; init; }

    /// <summary>
    /// False: another SOCKS5 server, which must not be asked for an onion service (it would look its name up) and cannot RESOLVE.
    /// </summary>
    public bool IsTor { get; init; } = true;

    /// <summary>The model of a configured worker.</summary>
    public static WorkerModel Of(WorkerOptions options) => new(
        options.Name, options.SocksEndPoint, options.Weight, options.Country, IsManaged: false, options.ControlEndPoint,
        WireGuardLink.Of(options))
    {
        ControlCookie = options.ControlCookie.Length == 0 ? null : options.ControlCookie,
        ControlPassword = options.ControlPassword.Length == 0 ? null : options.ControlPassword,
        IsTor = options.IsTor,
    };

    /// <summary>False for a managed worker that has not said yet where it listens.</summary>
    public bool IsAddressKnown => SocksEndPoint is not IPEndPoint { Port: 0 };

    /// <summary>What its link carries; none without one.</summary>
    public LinkFamilies LinkFamilies => Link?.Families ?? LinkFamilies.None;

    /// <summary>
    /// How one of the worker's own ports is reached: bound to the link when its address is the one on the link, because
    /// without the link it would leave by the default route; else as the system routes.
    /// </summary>
    public TransportConnectRequest RequestTo(EndPoint port) =>
        Link is { WorkerAddress: { } address } link && port is IPEndPoint ip && ip.Address.Equals(address)
            ? link.To(ip)
            : new TransportConnectRequest(port);

    /// <summary>Never prints the password.</summary>
    public override string ToString() => $"{Id} at {SocksEndPoint}";

    /// <summary>Fixed for an id on every machine and in every process, so that stickiness survives restarts.</summary>
    public ulong IdHash { get; } = StableHash.Of(Id);
}
