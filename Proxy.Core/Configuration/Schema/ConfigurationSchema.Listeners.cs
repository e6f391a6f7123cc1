using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>What clients and operators connect to: [Listener:…], [Admin], [Readiness] and [Log].</summary>
internal sealed partial class ConfigurationSchema
{
    public SchemaSection<AdminOptions> Admin { get; } = new SchemaSection<AdminOptions>(
            "Admin", "Where the admin API listens, and what it may take.", needsRestart: true)
        .Key("Address", Values.AdminAddress, "127.0.0.1:1081",
            "Address of the admin API, the metrics and the page; none turns it off.",
            (options, value) => (options.Address, options.IsAddressConfigured) = (value, true))
        .Key("Socket", Values.AdminSocket, "auto",
            "Unix socket for the command line; auto: the service's runtime directory, else the user's.",
            (options, value) => options.Socket = value)
        .Key("Token", Values.BearerToken, "",
            "What clients of Address must send as \"Authorization: Bearer\"; needed beyond loopback. The socket never asks for it.",
            (options, value) => options.Token = value, secret: true)
        .Key("TokenFile", Values.FilePath, "", "A file that holds the token, alone on its first line.",
            (options, value) => options.TokenFile = value)
        .Key("Tls", Values.CertificateFiles, "", "Serve Address in https with this certificate and key (PEM).",
            (options, value) => options.Tls = value)
        .Key("FetchMemory", Values.Size(64L << 20, 64L << 30), "256MiB",
            "What all fetches of the admin API together may hold in memory; "
                + "more of them wait, and are answered with 503 when their time is over.",
            (options, value) => options.FetchMemory = value)
        .Key("Otlp", Values.Webhook, "",
            "A collector that gets the metrics by OpenTelemetry's protocol over HTTP; the request does not go through Tor.",
            (options, value) => options.Otlp = value)
        .Key("OtlpInterval", Values.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), "60s", "How often it gets them.",
            (options, value) => options.OtlpInterval = value);

    public SchemaSection<ReadinessOptions> Readiness { get; } = new SchemaSection<ReadinessOptions>(
            "Readiness", "Where load balancers and orchestrators ask whether to send clients here; may be reached from outside.")
        .Key("Address", Values.ReadinessAddress, "none", "Answers GET /livez and GET /readyz, with 200 or 503 and the reason.",
            (options, value) => options.Address = value)
        .Key("Agent", Values.ReadinessAddress, "none",
            "Tells HAProxy's agent-check the share of workers that may carry connections, or drain.",
            (options, value) => options.Agent = value);

    public SchemaSection<LogOptions> Log { get; } = new SchemaSection<LogOptions>("Log", "What is written down.")
        .Key("Level", Values.Word("a level", "trace", "debug", "info", "warn", "error"), "info", "The least level that is written.",
            (options, value) => options.Level = value)
        .Key("Format", Values.Word("a format", "text", "json"), "text", "How a line looks.",
            (options, value) => options.Format = value, restart: true)
        .Key("File", Values.FilePath, "", "A file to write to besides standard output.",
            (options, value) => options.File = value, restart: true)
        .Key("Access", Values.YesNo, "yes", "One line per connection at level info.",
            (options, value) => options.Access = value)
        .Key("Targets", Values.YesNo, "no", "Show target hosts and client addresses: they are what people use Tor to hide.",
            (options, value) => options.Targets = value);

    private static SchemaSection<ListenerDraft> ListenerSection(ValueParser<string> mode) =>
        new SchemaSection<ListenerDraft>(
            "Listener", "An address that clients connect to. None configured: one named main with the defaults.", nameForm: "name")
        .Key("Address", Values.ListenAddresses, "127.0.0.1:1080", "Where clients connect; port 0 lets the system pick one.",
            (draft, value) => (draft.Options.Address, draft.Options.LastPort) = (value.First, value.LastPort))
        .Key("Protocols", Protocols(), "socks5, socks4, http",
            "What is spoken there, told apart by the first byte; or transparent, alone: connections that the kernel turns there.",
            (draft, value) => draft.Options.Protocols = value.Aggregate(ListenerProtocols.None, (all, one) => all | one))
        .Key("Transparent", Transparent(), "redirect",
            "How Protocols = transparent learns where a connection was going: from nftables' redirect, or from TPROXY, which needs "
                + "CAP_NET_ADMIN.",
            (draft, value) => draft.Options.Transparent = value)
        .Key("Sniff", Values.YesNo, "no",
            "Let Domain of rules, and DenyTargets, fit the name in a transparent connection's TLS or HTTP; it is never looked up, and the "
                + "target stays the address.",
            (draft, value) => draft.Options.Sniff = value)
        .Key("Auth", Auth(), "none", "Whether clients must say who they are.",
            (draft, value) => draft.Options.Auth = value)
        .Key("Users", Credentials.List, "",
            "Users with their passwords, or hashes of them; the file should then be readable by the daemon only.",
            (draft, value) => draft.Users = value, secret: true)
        .Key("UsersFile", Values.FilePath, "",
            "A file with one name:hash (as of htpasswd -B) or name:password per line; # begins a comment line. It is read again when it "
                + "changes.",
            (draft, value) => draft.Options.UsersFile = value)
        .Key("FailedLogins", Values.Number(0, 100_000), "20",
            "Wrong passwords a minute that a client address may send, in all and for one user; over it none is looked at. 0: no bound.",
            (draft, value) => draft.Options.FailedLogins = value)
        .Key("AllowFrom", Values.Networks, "", "Networks whose clients may connect; empty: anyone who reaches the address.",
            (draft, value) => value.ForEach(draft.Options.AllowFrom.Add))
        .Key("ProxyProtocol", Values.ProxyProtocolPeers, "off",
            "Balancers that say by the PROXY protocol (version 1 or 2) whose connection they bring; from them the header is required.",
            (draft, value) => draft.Options.ProxyProtocol = value)
        .Key("Tls", Values.CertificateFiles, "",
            "Speak TLS with clients, with this certificate (its chain behind it) and key; what Protocols says is spoken inside.",
            (draft, value) => draft.Options.Tls = value)
        .Key("DenyFrom", Values.Networks, "", "Networks whose clients may not connect; it goes before AllowFrom.",
            (draft, value) => value.ForEach(draft.Options.DenyFrom.Add))
        .Key("Mode", mode, "", "A balancing mode of this listener's own; empty: [Balancing] Mode.",
            (draft, value) => draft.Options.Mode = value)
        .Key("Isolation", Isolation(), "", "An isolation of this listener's own; empty: [Balancing] Isolation.",
            (draft, value) => draft.Options.Isolation = value)
        .Key("Session", Session(), "none", "port: each port of Address is a session of its own, for clients that send no user name.",
            (draft, value) => draft.Options.Session = value)
        .Key("SessionLifetime", Values.Duration(Seconds(1), TimeSpan.FromHours(24), offIsZero: true), "off",
            "How long the sessions of its ports keep their circuit; off: as long as tor does.",
            (draft, value) => draft.Options.SessionLifetime = value)
        .Key("Country", Values.Country, "", "Only workers of this country, unless the user name asks for another; empty: any.",
            (draft, value) => draft.Options.Country = value)
        .Key("ExtendedErrors", Values.YesNo, "no",
            "Send tor's F0-F7 error codes to SOCKS5 clients; Tor Browser understands them, curl and git do not.",
            (draft, value) => draft.Options.ExtendedErrors = value)
        .Key("TellExit", Values.YesNo, "no", "Tell clients whose CONNECT has a field TorBalancer-Exit which exit carries it.",
            (draft, value) => draft.Options.TellExit = value)
        .Key("HandshakeTimeout", Values.Duration(Seconds(1), TimeSpan.FromMinutes(10)), "15s",
            "How long a client may take for its whole request.",
            (draft, value) => draft.Options.HandshakeTimeout = value)
        .Key("MaxConnections", Values.Number(0, 1_000_000), "0",
            "Connections of this listener at one time; 0: as many as there are descriptors.",
            (draft, value) => draft.Options.MaxConnections = value)
        .Key("SocketMode", Values.FileMode, "0660", "Permissions of a unix socket.",
            (draft, value) => draft.Options.SocketMode = value);

    private static ValueParser<List<ListenerProtocols>> Protocols()
    {
        var one = Values.OneOf("a protocol",
            ("socks5", ListenerProtocols.Socks5), ("socks4", ListenerProtocols.Socks4), ("http", ListenerProtocols.Http),
            ("transparent", ListenerProtocols.Transparent));
        return Values.ListOf("socks5, socks4 (which includes 4a) and http, separated by commas; or transparent", one);
    }

    private static ValueParser<TransparentWay> Transparent() => Values.OneOf(
        "a way to turn connections", ("redirect", TransparentWay.Redirect), ("tproxy", TransparentWay.TProxy));

    private static ValueParser<ListenerAuth> Auth() => Values.OneOf("a kind of authentication",
        ("none", ListenerAuth.None), ("optional", ListenerAuth.Optional), ("required", ListenerAuth.Required),
        ("challenge", ListenerAuth.Challenge));

    private static ValueParser<ListenerSession> Session() => Values.OneOf("a kind of session",
        ("none", ListenerSession.None), ("port", ListenerSession.Port));
}
