using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Dns]: a name server for hosts that know of no proxy; it asks workers, and nobody else.</summary>
public sealed class DnsOptions
{
    /// <summary>Where it listens, UDP and TCP. Default null: nowhere.</summary>
    public IPEndPoint? Address { get; set; }

    /// <summary>
    /// Networks whose clients are answered; others hear nothing. Beyond loopback one is needed. Default: none, loopback only.
    /// </summary>
    public IList<IPNetwork> AllowFrom { get; } = [];

    /// <summary>
    /// How the worker of a question is picked. Default random: a mode that takes turns would give every question one of the turns of
    /// clients' connections.
    /// </summary>
    public string Mode { get; set; } = "random";

    /// <summary>
    /// How long an answer is kept, here and by whoever asked: Tor's RESOLVE tells no time. Default 60 s, 0 s (not at all) to 1 h.
    /// </summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Questions of one client address. Default 50/s burst 200.</summary>
    public ConnectionRate QueryRatePerClient { get; set; } = new(50, TimeSpan.FromSeconds(1), 200);

    /// <summary>
    /// Out of these come the addresses that stand for onion services' names: at most one network of each family, private, not smaller than
    /// /24 or /112. Default 10.192.0.0/10 and fc00::/8.
    /// </summary>
    public IList<IPNetwork> VirtualAddresses { get; set; } = [IPNetwork.Parse("10.192.0.0/10"), IPNetwork.Parse("fc00::/8")];
}
