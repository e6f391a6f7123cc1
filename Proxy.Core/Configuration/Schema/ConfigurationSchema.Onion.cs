using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>One onion address over many backends: [Publisher], [OnionService:…] and [Instance:…].</summary>
internal sealed partial class ConfigurationSchema
{
    /// <summary>The sections that the publisher alone reads: nothing in them concerns the proxy.</summary>
    public IReadOnlyList<SchemaSection> OfPublisher => [Publisher, OnionService, Instance];

    public SchemaSection<PublisherOptions> Publisher { get; } = new SchemaSection<PublisherOptions>(
            "Publisher",
            "How torbalancer publish reaches the Tor network, and who may ask it. What the proxy has stands in the other sections, "
                + "and neither uses the other's.",
            needsRestart: true)
        .Key("Managed", Managed(), "auto",
            "Whether the publisher starts a tor of its own; auto: unless ControlPort is given.",
            (options, value) => options.Managed = value)
        .Key("ControlPort", Values.TorEndPoint, "",
            "The control port of a tor that nobody else uses, with SocksPort 0: a port of this machine, IP:PORT or unix:/path. "
                + "Empty: none.",
            (options, value) => options.ControlEndPoint = value)
        .Key("ControlCookie", Values.FilePath, "", "The control port's cookie file; empty: where tor says it is.",
            (options, value) => options.ControlCookie = value)
        .Key("ControlPassword", Values.ControlPassword, "", "The control port's password.",
            (options, value) => options.ControlPassword = value, secret: true)
        .Key("SocksPort", Values.TorEndPoint, "",
            "The SOCKS port that health checks go through, a worker's for instance, in the same forms; empty: the managed tor's own.",
            (options, value) => options.SocksEndPoint = value)
        .Key("Status", Values.AdminSocket, "auto",
            "Unix socket that tells the state and takes commands; auto: the service's runtime directory, else the user's.",
            (options, value) => options.Status = value)
        .Key("DataDirectory", Values.AutoOrPath, "auto",
            "Where the managed tor keeps its guards, and the publisher which instances are drained; auto: the service's state directory, "
                + "else the user's.",
            (options, value) => options.DataDirectory = value)
        .Key("TorPath", Values.AutoOrPath, "auto", "The managed tor's executable; auto: the first one in PATH.",
            (options, value) => options.TorPath = value)
        .Key("ExtraTorrc", Values.FilePath, "", "A file with further torrc lines for the managed tor.",
            (options, value) => options.ExtraTorrc = value);

    public SchemaSection<OnionServiceOptions> OnionService { get; } = new SchemaSection<OnionServiceOptions>(
            "OnionService", "An onion address that torbalancer publish balances over its instances.", nameForm: "name", needsRestart: true)
        .Key("Key", Values.FilePath, "",
            "The address's secret key: PKCS#8 in PEM, or tor's hs_ed25519_secret_key; nobody but the publisher's user may read it.",
            (service, value) => service.Key = value)
        .Key("Descriptors", Values.OneOf("a choice of descriptors",
                ("auto", DescriptorSets.Auto), ("single", DescriptorSets.One), ("distinct", DescriptorSets.Distinct)), "auto",
            "The same descriptor for all directories (single: up to 20 instances) or one for each (distinct: up to 60); "
                + "auto: distinct above 20 live instances.",
            (service, value) => service.Descriptors = value);

    public SchemaSection<InstanceOptions> Instance { get; } = new SchemaSection<InstanceOptions>(
            "Instance",
            "A backend of a service: an onion service of its own, whose tor has HiddenServiceOnionbalanceInstance 1.",
            nameForm: "service/name", needsRestart: true)
        .Key("Address", Values.OnionService, "", "Its own onion address.",
            (instance, value) => instance.Address = value)
        .Key("Weight", Values.Number(1, 100), "1", "Its share relative to the others.",
            (instance, value) => instance.Weight = value)
        .Key("HealthCheck", Values.InstanceCheck, "none",
            "Whether it is asked through its own address: none, tcp:PORT (a connection), or http:PORT/path (a status below 400).",
            (instance, value) => instance.HealthCheck = value);

    private static ValueParser<bool?> Managed() => new("auto, yes or no",
        static (string text, ValueContext context, out bool? value) =>
        {
            value = null;
            if (text.Equals("auto", StringComparison.OrdinalIgnoreCase))
                return null;
            var problem = Values.YesNo.Parse(text, context, out bool isManaged);
            value = isManaged;
            return problem is null ? null : problem with { What = "is neither auto nor yes nor no" };
        });
}
