using System.Globalization;
using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>Where a listener listens: an address, or a range of ports of one.</summary>
/// <param name="First">The address, with the first port of a range.</param>
/// <param name="LastPort">The last port of a range; 0: it is none.</param>
public readonly record struct ListenAddress(EndPoint First, int LastPort = 0)
{
    /// <summary>The most ports of one range: each is a socket that listens, and a descriptor.</summary>
    public const int MostPorts = 1000;

    /// <summary>As it is written: 127.0.0.1:1080, 127.0.0.1:20000-20099, or a path.</summary>
    public override string ToString() =>
        LastPort == 0 ? $"{First}" : string.Create(CultureInfo.InvariantCulture, $"{First}-{LastPort}");
}
