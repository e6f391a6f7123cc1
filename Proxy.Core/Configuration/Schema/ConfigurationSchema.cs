using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>
/// Every section and key there is, in the order of torbalancer.conf: the one table that the loader, the error messages,
/// the sample file's test and the documentation's test read.
/// </summary>
internal sealed partial class ConfigurationSchema
{
    /// <param name="modes">The names of the selection policies; they live in a higher layer.</param>
    public ConfigurationSchema(IReadOnlyList<string> modes)
    {
        var mode = Values.Word("a mode", modes);
        Listener = WithLimits(ListenerSection(mode));
        User = UserSection(mode);
        Dns = DnsSection(mode);
        Balancing = BalancingSection(mode);
        Sections =
        [
            Listener, User, Dns, Admin, Readiness, Balancing, Circuits, Connect, Tunnel, Engine, Health, Alerts, Blacklist, Route, Rule,
            Log, Worker, Discovery, ManagedWorkers, Publisher, OnionService, Instance,
        ];
    }

    public IReadOnlyList<SchemaSection> Sections { get; }

    public SchemaSection<ListenerDraft> Listener { get; }

    public SchemaSection<DnsOptions> Dns { get; }

    public SchemaSection<BalancingOptions> Balancing { get; }

    public SchemaSection? Find(string name) =>
        Sections.FirstOrDefault(section => string.Equals(section.Name, name, StringComparison.OrdinalIgnoreCase));

    private static TimeSpan Seconds(int value) => TimeSpan.FromSeconds(value);

    private static ValueParser<IsolationMode> Isolation() => Values.OneOf("a kind of isolation",
        ("client", IsolationMode.Client), ("user", IsolationMode.User), ("destination", IsolationMode.Destination),
        ("connection", IsolationMode.Connection), ("none", IsolationMode.None));
}
