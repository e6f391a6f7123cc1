using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>[Discovery]: workers that a DNS zone names, beside those that are configured.</summary>
public sealed class DiscoveryOptions
{
    /// <summary>
    /// What is asked for: SRV records of a name whose first label begins with an underscore (RFC 2782), addresses of any other; empty:
    /// nothing. Default empty.
    /// </summary>
    public string Name { get; set; } = "";

    /// <summary>Whom it is asked of, and nobody else; null: none is configured. Default null.</summary>
    public IPEndPoint? Resolver { get; set; }

    /// <summary>Between two questions, 1 s to 1 h. Default 30 s.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The SocksPort where addresses are asked for; SRV records name their own. 1-65535. Default 9050.</summary>
    public int Port { get; set; } = 9050;

    /// <summary>The control port of each of them; 0: none. Default 0.</summary>
    public int ControlPort { get; set; }

    /// <summary>Something is asked for.</summary>
    public bool IsOn => Name.Length > 0;

    /// <summary>It is SRV records that are asked for.</summary>
    public bool IsService => Name.StartsWith('_');
}
