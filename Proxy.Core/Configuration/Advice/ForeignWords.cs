using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Advice;

/// <summary>A word of another program, or of everyday speech, and the key that it is here.</summary>
/// <param name="Word">As people write it; letter case and the separators '-', '_' and ' ' do not count.</param>
/// <param name="Section">The kind of section in which it means <paramref name="Key"/>.</param>
internal sealed record ForeignWord(string Word, string Section, string Key);

/// <summary>
/// What people who know HAProxy, privoxy, torrc, or none of them, write instead of our words. Only hints are made from it:
/// nothing here is ever accepted.
/// </summary>
internal static class ForeignWords
{
    /// <summary>torrc's own options, which go into a file of torrc lines.</summary>
    private static readonly string[] TorrcOptions =
    [
        "ExitNodes", "EntryNodes", "ExcludeNodes", "ExcludeExitNodes", "MiddleNodes", "StrictNodes", "UseBridges", "Bridge",
        "ClientTransportPlugin", "MaxCircuitDirtiness", "NewCircuitPeriod", "CircuitBuildTimeout", "NumEntryGuards", "GeoIPFile",
        "AvoidDiskWrites", "HTTPSProxy", "Socks5Proxy", "FascistFirewall", "ReachableAddresses", "LearnCircuitBuildTimeout",
    ];

    private static readonly (string Word, string Section)[] Sections =
    [
        ("proxy", "Listener"), ("listen", "Listener"), ("bind", "Listener"), ("frontend", "Listener"), ("socks", "Listener"),
        ("socks5", "Listener"), ("http", "Listener"),
        ("inbound", "Listener"), ("port", "Listener"),
        ("server", "Worker"), ("backend", "Worker"), ("upstream", "Worker"), ("tor", "Worker"), ("outbound", "Worker"), ("node", "Worker"),
        ("instance", "Worker"),
        ("api", "Admin"), ("dashboard", "Admin"), ("metrics", "Admin"), ("stats", "Admin"), ("control", "Admin"),
        ("pool", "Balancing"), ("loadbalancer", "Balancing"), ("scheduler", "Balancing"), ("strategy", "Balancing"),
        ("circuit", "Circuits"), ("prebuild", "Circuits"), ("warm", "Circuits"),
        ("timeouts", "Connect"), ("retry", "Connect"), ("retries", "Connect"), ("hedge", "Connect"), ("hedging", "Connect"),
        ("dial", "Connect"),
        ("probe", "Health"), ("probes", "Health"), ("check", "Health"), ("checks", "Health"), ("monitor", "Health"), ("recovery", "Health"),
        ("notify", "Alerts"), ("webhook", "Alerts"), ("relays", "Blacklist"), ("exits", "Blacklist"),
        ("acl", "Rule"), ("wireguard", "Route"), ("wg", "Route"), ("output", "Log"), ("local", "ManagedWorkers"),
        ("managed", "ManagedWorkers"), ("threads", "Engine"),
    ];

    private static readonly ForeignWord[] Keys =
    [
        new("Port", "Listener", "Address"), new("Port", "Admin", "Address"), new("Port", "Worker", "SocksPort"),
        new("Host", "Listener", "Address"), new("Host", "Admin", "Address"), new("Host", "Worker", "Address"),
        new("Bind", "Listener", "Address"), new("Bind", "Admin", "Address"), new("Listen", "Listener", "Address"),
        new("Listen", "Admin", "Address"),
        new("ListenAddress", "Listener", "Address"), new("ListenPort", "Listener", "Address"), new("BindAddress", "Listener", "Address"),
        new("IP", "Worker", "Address"), new("Server", "Worker", "Address"), new("Endpoint", "Worker", "Address"),
        new("Hostname", "Worker", "Address"), new("Url", "Worker", "Address"),
        new("Url", "Listener", "Address"), new("IP", "Listener", "Address"),
        new("Forward", "Worker", "Address"), new("ForwardSocks5", "Worker", "Address"), new("ForwardSocks5t", "Worker", "Address"),
        new("ForwardSocks4a", "Worker", "Address"),
        new("SocksListenAddress", "Listener", "Address"), new("HTTPTunnelPort", "Listener", "Address"),
        new("SocksPort", "Listener", "Address"),
        new("Type", "Listener", "Protocols"), new("Scheme", "Listener", "Protocols"), new("Allow", "Listener", "AllowFrom"),
        new("AllowedIPs", "Listener", "AllowFrom"),
        new("PermitAccess", "Listener", "AllowFrom"), new("SocksPolicy", "Listener", "AllowFrom"), new("Acl", "Listener", "AllowFrom"),
        new("Whitelist", "Listener", "AllowFrom"),
        new("Protocol", "Listener", "Protocols"),
        new("AcceptProxy", "Listener", "ProxyProtocol"), new("SendProxy", "Listener", "ProxyProtocol"),
        new("RealIp", "Listener", "ProxyProtocol"), new("SetRealIpFrom", "Listener", "ProxyProtocol"),
        new("Authentication", "Listener", "Auth"), new("Password", "Listener", "Users"), new("Username", "Listener", "Users"),
        new("Credentials", "Listener", "Users"), new("Passwords", "Listener", "Users"), new("Accounts", "Listener", "Users"),
        new("Logins", "Listener", "Users"),
        new("BasicAuth", "Listener", "Users"), new("PasswordFile", "Listener", "UsersFile"), new("Htpasswd", "Listener", "UsersFile"),
        new("MaxConn", "Listener", "MaxConnections"),
        new("Limit", "Listener", "MaxConnections"), new("TimeoutClient", "Tunnel", "IdleTimeout"),
        new("TimeoutServer", "Tunnel", "IdleTimeout"), new("TimeoutTunnel", "Tunnel", "IdleTimeout"),
        new("TimeoutConnect", "Connect", "Timeout"), new("TimeoutCheck", "Health", "ProbeTimeout"),
        new("ConnectTimeout", "Connect", "Timeout"), new("DialTimeout", "Connect", "WorkerTimeout"), new("Retries", "Connect", "Attempts"),
        new("MaxRetries", "Connect", "Attempts"),
        new("Redispatch", "Connect", "Attempts"), new("Hedging", "Connect", "Hedge"),
        new("Balance", "Balancing", "Mode"), new("Algorithm", "Balancing", "Mode"), new("Strategy", "Balancing", "Mode"),
        new("Policy", "Balancing", "Mode"), new("LoadBalancing", "Balancing", "Mode"), new("Method", "Balancing", "Mode"),
        new("Sticky", "Balancing", "StickyBy"), new("IsolateBy", "Balancing", "Isolation"), new("Sticky", "Listener", "Mode"),
        new("Password", "Worker", "ControlPassword"), new("HashedControlPassword", "Worker", "ControlPassword"),
        new("Cookie", "Worker", "ControlCookie"), new("CookieFile", "Worker", "ControlCookie"),
        new("CookieAuthFile", "Worker", "ControlCookie"),
        new("CookieAuthentication", "Worker", "ControlCookie"), new("ControlSocket", "Worker", "ControlPort"),
        new("Interface", "Worker", "WgInterface"), new("WgAddress", "Worker", "WgHostAddress"), new("Dns", "Worker", "DnsPort"),
        new("Command", "Worker", "ReconnectCommand"), new("Reconnect", "Worker", "ReconnectCommand"), new("Location", "Worker", "Country"),
        new("Priority", "Worker", "Weight"),
        new("Inter", "Health", "CheckInterval"), new("Fall", "Health", "FailureThreshold"), new("Rise", "Health", "SuccessThreshold"),
        new("ProbeInterval", "Health", "CheckInterval"), new("ProbeUrl", "Health", "Canary"), new("Url", "Health", "Canary"),
        new("Target", "Health", "Canary"),
        new("Retry", "Health", "RecoveryBackoff"), new("On", "Health", "Enabled"), new("Off", "Health", "Enabled"),
        new("Url", "Alerts", "Webhook"), new("Exec", "Alerts", "Command"), new("Script", "Alerts", "Command"),
        new("Hook", "Alerts", "Webhook"), new("Interval", "Alerts", "MinInterval"),
        new("Host", "Rule", "Domain"), new("Hostname", "Rule", "Domain"), new("Name", "Rule", "Domain"), new("Address", "Rule", "Network"),
        new("IP", "Rule", "Network"), new("Cidr", "Rule", "Network"), new("Action", "Rule", "Route"), new("Via", "Rule", "Route"),
        new("Target", "Rule", "Domain"), new("Destination", "Rule", "Domain"),
        new("Default", "Route", "Clearnet"), new("WireGuard", "Route", "Clearnet"), new("LogLevel", "Log", "Level"),
        new("Loglevel", "Log", "Level"), new("Verbosity", "Log", "Level"), new("LogFile", "Log", "File"), new("Output", "Log", "File"),
        new("Path", "Log", "File"), new("AccessLog", "Log", "Access"), new("Json", "Log", "Format"),
        new("Workers", "ManagedWorkers", "Count"), new("Number", "ManagedWorkers", "Count"), new("Instances", "ManagedWorkers", "Count"),
        new("Torrc", "ManagedWorkers", "ExtraTorrc"), new("TorBinary", "ManagedWorkers", "TorPath"),
        new("TorExecutable", "ManagedWorkers", "TorPath"), new("Tor", "ManagedWorkers", "TorPath"),
        new("Directory", "ManagedWorkers", "DataDirectory"), new("DataDir", "ManagedWorkers", "DataDirectory"),
        new("Threads", "Engine", "Loops"), new("NbThread", "Engine", "Loops"), new("Cpus", "Engine", "Loops"),
        new("Type", "Engine", "Transport"),
        new("KeepAliveTime", "Tunnel", "KeepAlive"), new("TcpKeepAlive", "Tunnel", "KeepAlive"), new("Idle", "Tunnel", "IdleTimeout"),
        new("GracePeriod", "Tunnel", "DrainTimeout"), new("ShutdownDelay", "Tunnel", "LameDuck"), new("PreStop", "Tunnel", "LameDuck"),
        new("Healthz", "Readiness", "Address"), new("AgentCheck", "Readiness", "Agent"), new("AgentPort", "Readiness", "Agent"),
        .. TorrcOptions.Select(static option => new ForeignWord(option, "ManagedWorkers", "ExtraTorrc")),
        new("KeyFile", "OnionService", "Key"), new("SecretKey", "OnionService", "Key"), new("PrivateKey", "OnionService", "Key"),
        new("MasterKey", "OnionService", "Key"), new("Onion", "Instance", "Address"), new("Hostname", "Instance", "Address"),
        new("OnionAddress", "Instance", "Address"), new("Check", "Instance", "HealthCheck"), new("Probe", "Instance", "HealthCheck"),
        new("StatusSocketLocation", "Publisher", "Status"), new("StatusSocket", "Publisher", "Status"),
        new("ControlSocket", "Publisher", "ControlPort"), new("Cookie", "Publisher", "ControlCookie"),
        new("Password", "Publisher", "ControlPassword"),
    ];

    /// <summary>Words of values. Each is tried, so it may stand for several things: what the key at hand accepts is meant.</summary>
    private static readonly (string Word, string[] Meant)[] ValueWords =
    [
        ("1", ["yes"]), ("y", ["yes"]), ("t", ["yes"]), ("enable", ["yes"]), ("enabled", ["yes"]), ("always", ["yes"]),
        ("0", ["no"]), ("n", ["no"]), ("f", ["no"]), ("disable", ["no", "off", "none", "0"]), ("disabled", ["no", "off", "none", "0"]),
        ("yes", ["required", "adaptive", "auto", "exits"]), ("on", ["required", "adaptive", "auto", "exits"]),
        ("true", ["required", "adaptive", "auto", "exits"]),
        ("no", ["off", "none", "0"]), ("false", ["off", "none", "0"]), ("off", ["none", "no", "0"]), ("none", ["off", "no", "0"]),
        ("null", ["off", "none"]), ("nil", ["off", "none"]),
        ("never", ["no", "off", "none"]), ("infinite", ["off", "0"]), ("infinity", ["off", "0"]), ("∞", ["off", "0"]),
        ("unlimited", ["off", "0"]), ("nolimit", ["off", "0"]), ("forever", ["off"]), ("default", ["auto"]),
        ("password", ["required"]), ("basic", ["required"]), ("user", ["required"]), ("strict", ["required"]), ("userpass", ["required"]),
        ("rr", ["round_robin"]), ("wrr", ["round_robin"]), ("roundrobin", ["round_robin"]), ("staticrr", ["round_robin"]),
        ("lc", ["least_connections"]), ("leastconn", ["least_connections"]),
        ("leastloaded", ["least_connections"]), ("first", ["failover"]), ("backup", ["failover"]), ("priority", ["failover"]),
        ("fallback", ["failover"]), ("active_passive", ["failover"]),
        ("hash", ["sticky"]), ("iphash", ["sticky"]), ("source", ["sticky", "client"]), ("consistent", ["sticky"]), ("session", ["sticky"]),
        ("p2c", ["power_of_two"]), ("rand", ["random"]),
        ("latency", ["fastest"]), ("leasttime", ["fastest"]), ("quickest", ["fastest"]),
        ("ip", ["client"]), ("address", ["client"]), ("username", ["user"]), ("host", ["destination"]), ("target", ["destination"]),
        ("domain", ["destination"]), ("stream", ["connection"]), ("request", ["connection"]),
        ("connect", ["http"]), ("socks", ["socks5"]), ("socks5h", ["socks5"]), ("all", ["socks5, socks4, http"]),
        ("any", ["socks5, socks4, http"]), ("both", ["socks5, http"]), ("mixed", ["socks5, socks4, http"]), ("tcp", ["socks5"]),
        ("warning", ["warn"]), ("information", ["info"]), ("informational", ["info"]), ("notice", ["info"]), ("verbose", ["debug"]),
        ("critical", ["error"]), ("fatal", ["error"]), ("err", ["error"]), ("plain", ["text"]), ("console", ["text"]),
        ("deny", ["reject"]), ("block", ["reject"]), ("drop", ["reject"]), ("refuse", ["reject"]), ("tor", ["socks"]), ("proxy", ["socks"]),
        ("wg", ["wireguard"]), ("link", ["wireguard"]), ("vpn", ["wireguard"]),
        ("epoll", ["linux"]), ("splice", ["linux"]), ("managed", ["sockets"]), ("v4", ["ipv4"]), ("4", ["ipv4"]), ("inet", ["ipv4"]),
        ("v6", ["ipv6"]), ("6", ["ipv6"]), ("inet6", ["ipv6"]),
    ];

    /// <summary>The kind of section that a word of others means, or null.</summary>
    public static string? Section(string word)
    {
        foreach (var (known, section) in Sections)
        {
            if (Spelling.Same(known, word))
                return section;
        }

        return null;
    }

    /// <summary>The keys that a word of others means, those of the section at hand first.</summary>
    public static IEnumerable<ForeignWord> Key(string word) => Keys.Where(known => Spelling.Same(known.Word, word));

    /// <summary>True for an option of torrc that goes on into the managed workers' torrc.</summary>
    public static bool IsTorrc(string word) => TorrcOptions.Any(known => Spelling.Same(known, word));

    /// <summary>What a value of others may mean, the likeliest first.</summary>
    public static IEnumerable<string> Values(string word) =>
        ValueWords.Where(known => Spelling.Same(known.Word, word)).SelectMany(static known => known.Meant);
}
