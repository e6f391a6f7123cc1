using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Server;

/// <summary>The ports that this daemon listens on. Any thread may ask; a connection's way costs it a look at a few numbers.</summary>
internal sealed class OwnPorts(Live<TorBalancerOptions> options)
{
    private readonly Live<int[]> _others = options.Select(
        static all => Numbers(all.Admin.Address, all.Readiness.Address, all.Readiness.Agent, all.Dns.Address));
    private volatile int[] _listeners = [];

    /// <summary>Those of the listeners are these from now on.</summary>
    public void Set(IEnumerable<EndPoint> listeners) => _listeners = Numbers([.. listeners]);

    public bool Has(int port) => Array.IndexOf(_listeners, port) >= 0 || Array.IndexOf(_others.Value, port) >= 0;

    private static int[] Numbers(params EndPoint?[] addresses) =>
        [.. addresses.OfType<IPEndPoint>().Select(static address => address.Port)];
}
