using TorBalancer.Fuzz.Targets;

namespace TorBalancer.Fuzz;

/// <summary>All targets.</summary>
internal static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("socks-client", SocksClientTarget.Check, 1024),
        new("socks-worker", SocksWorkerTarget.Check, 1024),
        new("proxy-header", ProxyHeaderTarget.Check, 1024),
        new("http-request", HttpRequestTarget.Check),
        new("http-response", HttpResponseTarget.Check),
        new("http-chunks", HttpChunksTarget.Check, 2048),
        new("host", HostTarget.Check, 512),
        new("user-name", UserNameTarget.Check, 512),
        new("users", UsersTarget.Check, 1024),
        new("dns", DnsTarget.Check, 1024),
        new("dns-query", NamingTargets.Query, 1024),
        new("first-bytes", NamingTargets.FirstBytes, 2048),
        new("control", ControlTarget.Check),
        new("consensus", ConsensusTarget.Check),
        new("configuration", ConfigurationTarget.Check),
        new("onion-descriptor", OnionDescriptorTarget.Outside, 16 * 1024),
        new("onion-outer", OnionDescriptorTarget.OuterLayer),
        new("onion-inner", OnionDescriptorTarget.InnerLayer),
        new("onion-certificate", OnionDescriptorTarget.Certificates, 512),
        new("torrc", ForeignTextTargets.Torrc),
        new("bridges", ForeignTextTargets.Bridges, 2048),
        new("onionbalance", ForeignTextTargets.Onionbalance),
        new("admin", ForeignTextTargets.Admin),
        new("readiness", ForeignTextTargets.Readiness, 512),
        new("geoip", ForeignTextTargets.GeoIP, 2048),
        new("events", DaemonAnswersTarget.Events, 2048),
        new("takeover", DaemonAnswersTarget.Takeover),
    ];

    public static FuzzTarget? Find(string name) => All.FirstOrDefault(target => target.Name == name);
}
