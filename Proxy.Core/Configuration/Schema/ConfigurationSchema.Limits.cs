using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>How much clients and users may have: keys of [Listener:…], and [User:…].</summary>
internal sealed partial class ConfigurationSchema
{
    private const int MostConnections = 1_000_000;

    public SchemaSection<UserOptions> User { get; }

    private static SchemaSection<UserOptions> UserSection(ValueParser<string> mode) => new SchemaSection<UserOptions>(
            "User", "What one user may have, on whatever listener it comes by. What is not given here is as the listener says.",
            nameForm: "name")
        .Key("MaxConnections", Values.Number(0, MostConnections), "",
            "Connections at one time; 0: no limit; empty: the listener's MaxConnectionsPerUser.",
            (options, value) => options.MaxConnections = value)
        .Key("ConnectionRate", Values.ConnectionRate, "",
            "New connections, and how many of them at once (burst); empty: the listener's ConnectionRatePerUser.",
            (options, value) => options.ConnectionRate = value)
        .Key("Bandwidth", Values.Bandwidth, "", "Bytes a second, both ways together; empty: the listener's BandwidthPerUser.",
            (options, value) => options.Bandwidth = value)
        .Key("Modes", Values.ListOf(mode.Allowed, mode), "",
            "The modes that it may ask for; the first is its own where the listener's is none of them. Empty: all.",
            (options, value) => value.ForEach(options.Modes.Add))
        .Key("Workers", Values.WorkerNames, "", "The only workers that carry its connections; empty: all.",
            (options, value) => value.ForEach(options.Workers.Add))
        .Key("Countries", Values.CountryList, "", "Only workers of these countries carry its connections; empty: all.",
            (options, value) => value.ForEach(options.Countries.Add));

    /// <summary>Adds the keys that limit clients and users.</summary>
    private static SchemaSection<ListenerDraft> WithLimits(SchemaSection<ListenerDraft> listener) => listener
        .Key("AllowTargets", Values.Targets, "", "The only targets that its clients may ask for; empty: any.",
            (draft, value) => value.ForEach(draft.Options.AllowTargets.Add))
        .Key("DenyTargets", Values.Targets, "", "Targets that its clients may not ask for; it goes before AllowTargets.",
            (draft, value) => value.ForEach(draft.Options.DenyTargets.Add))
        .Key("MaxConnectionsPerClient", Values.Number(0, MostConnections), "0",
            "Connections of one client address (IPv6: of one /64) at one time; 0: no limit.",
            (draft, value) => draft.Options.Limits.MaxConnectionsPerClient = value)
        .Key("MaxConnectionsPerUser", Values.Number(0, MostConnections), "0",
            "Connections of one user at one time, those by other listeners included; 0: no limit. [User:name] may say otherwise.",
            (draft, value) => draft.Options.Limits.MaxConnectionsPerUser = value)
        .Key("ConnectionRate", Values.ConnectionRate, "off",
            "New connections of all clients, and how many of them at once (burst; without one, what a second brings).",
            (draft, value) => draft.Options.Limits.ConnectionRate = value)
        .Key("ConnectionRatePerClient", Values.ConnectionRate, "off", "New connections of one client address (IPv6: of one /64).",
            (draft, value) => draft.Options.Limits.ConnectionRatePerClient = value)
        .Key("ConnectionRatePerUser", Values.ConnectionRate, "off", "New connections of one user. [User:name] may say otherwise.",
            (draft, value) => draft.Options.Limits.ConnectionRatePerUser = value)
        .Key("Bandwidth", Values.Bandwidth, "off", "Bytes a second of all clients, both ways together.",
            (draft, value) => draft.Options.Limits.Bandwidth = value)
        .Key("BandwidthPerClient", Values.Bandwidth, "off", "Bytes a second of one client address (IPv6: of one /64), both ways together.",
            (draft, value) => draft.Options.Limits.BandwidthPerClient = value)
        .Key("BandwidthPerUser", Values.Bandwidth, "off",
            "Bytes a second of one user, both ways together. [User:name] may say otherwise.",
            (draft, value) => draft.Options.Limits.BandwidthPerUser = value);
}
