using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>How much clients and users may have: keys of [Listener:…], and [User:…].</summary>
internal sealed partial class ConfigurationSchema
{
    private const int MostConnections = 1_000_000;

    public SchemaSection<UserOptions> User { get; } = new SchemaSection<UserOptions>(
            "User", "What one user may have, on whatever listener it comes by. What is not given here is as the listener says.",
            nameForm: "name")
        .Key("MaxConnections", Values.Number(0, MostConnections), "",
            "Connections at one time; 0: no limit; empty: the listener's MaxConnectionsPerUser.",
            (options, value) => options.MaxConnections = value)
        .Key("ConnectionRate", Values.ConnectionRate, "",
            "New connections, and how many of them at once (burst); empty: the listener's ConnectionRatePerUser.",
            (options, value) => options.ConnectionRate = value);

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
            (draft, value) => draft.Options.Limits.ConnectionRatePerUser = value);
}
