using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Worker:name]: one tor process that is reached over SOCKS.</summary>
public sealed class WorkerOptions
{
    /// <summary>The worker's id: the part after the colon of the section name.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The worker's IP address (names are refused: they would be resolved outside Tor), or null when SocksPort is a unix socket.
    /// </summary>
    public IPAddress? Address { get; set; }

    /// <summary>Where it speaks SOCKS: Address with SocksPort (default 9050), or unix:/path.</summary>
    public EndPoint SocksEndPoint { get; set; } = new IPEndPoint(IPAddress.Loopback, 9050);

    /// <summary>Its control port: Address with ControlPort, unix:/path, or null for none.</summary>
    public EndPoint? ControlEndPoint { get; set; }

    /// <summary>Path of the control port's cookie file; empty: the path that tor itself names.</summary>
    public string ControlCookie { get; set; } = "";

    /// <summary>The control port's password; empty: none.</summary>
    public string ControlPassword { get; set; } = "";

    /// <summary>A TCP port that says whether the host is up (step 1 of recovery); null: that step is skipped.</summary>
    public int? SshPort { get; set; }

    /// <summary>The WireGuard interface towards this worker; empty: none.</summary>
    public string WgInterface { get; set; } = "";

    /// <summary>Our own addresses on that link, at most one of each family.</summary>
    public IList<IPAddress> WgHostAddresses { get; set; } = [];

    /// <summary>
    /// The worker's own address on that link: what goes to it (its SocksPort, its ControlPort, its DNSPort) takes the link and
    /// nothing else. Null: Address, when it is in the same /24 (IPv6: /64) as one of <see cref="WgHostAddresses"/>, else none.
    /// </summary>
    public IPAddress? WgWorkerAddress { get; set; }

    /// <summary>The worker's DNSPort; null: names are resolved over its SocksPort.</summary>
    public int? DnsPort { get; set; }

    /// <summary>
    /// <see cref="DnsPort"/> at <see cref="WgWorkerAddress"/>, or without one at <see cref="Address"/>; asked over the link in
    /// either case.
    /// </summary>
    public IPEndPoint? DnsEndPoint { get; set; }

    /// <summary>Run in recovery to bring the link or the worker back; empty: nothing.</summary>
    public string ReconnectCommand { get; set; } = "";

    /// <summary>Its share relative to the others. Default 1, 1 to 100.</summary>
    public int Weight { get; set; } = 1;

    /// <summary>
    /// Two-letter code, in lower case, of the country that its exits are in, for the user parameter country-xx; empty: unknown.
    /// </summary>
    public string Country { get; set; } = "";

    /// <summary>It is tor; false: another SOCKS5 server, which knows no onion service, no RESOLVE and no isolation. Default true.</summary>
    public bool IsTor { get; set; } = true;
}
