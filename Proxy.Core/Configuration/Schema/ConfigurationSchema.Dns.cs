using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>The name server: [Dns].</summary>
internal sealed partial class ConfigurationSchema
{
    private static SchemaSection<DnsOptions> DnsSection(ValueParser<string> mode) => new SchemaSection<DnsOptions>(
            "Dns", "A name server for hosts that know of no proxy. It asks workers and nobody else; .onion names get virtual addresses.",
            needsRestart: true)
        .Key("Address", Values.ReadinessAddress, "none", "Where it listens, UDP and TCP.", (options, value) => options.Address = value)
        .Key("AllowFrom", Values.Networks, "",
            "Networks whose clients are answered, needed beyond loopback; others hear nothing. Empty: this machine's.",
            (options, value) => value.ForEach(options.AllowFrom.Add))
        .Key("Mode", mode, "random",
            "How the worker of a question is picked; one that takes turns would take those of connections.",
            (options, value) => options.Mode = value)
        .Key("TimeToLive", Values.Duration(TimeSpan.Zero, TimeSpan.FromHours(1)), "60s",
            "How long an answer is kept, here and by clients, since Tor tells no time; 0s: not at all.",
            (options, value) => options.TimeToLive = value)
        .Key("QueryRatePerClient", Values.ConnectionRate, "50/s burst 200", "Questions of one client address; more are not answered.",
            (options, value) => options.QueryRatePerClient = value)
        .Key("VirtualAddresses", Values.Networks, "10.192.0.0/10, fc00::/8",
            "Private networks, one of each family at most, whose addresses stand for .onion names until a client connects to them by a "
                + "transparent listener.",
            (options, value) => options.VirtualAddresses = value);
}
