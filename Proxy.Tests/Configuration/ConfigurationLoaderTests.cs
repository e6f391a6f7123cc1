namespace TorBalancer.Tests.Configuration;

/// <summary>What a user reads: whole messages, so that a change of them is seen.</summary>
public class ConfigurationLoaderTests
{
    [TestCase("[Balancing]\n\nMode = randon",
        "t.conf:3: [Balancing] Mode = \"randon\" is not a mode; allowed: round_robin, sticky, random, least_connections, failover, "
        + "power_of_two, fastest; did you mean \"random\"?")]
    [TestCase("[Balancing]\nMode = xyzzy",
        "t.conf:2: [Balancing] Mode = \"xyzzy\" is not a mode; allowed: round_robin, sticky, random, least_connections, failover, "
        + "power_of_two, fastest")]
    [TestCase("[Listener:a]\nMode = stickey",
        "t.conf:2: [Listener:a] Mode = \"stickey\" is not a mode; allowed: round_robin, sticky, random, least_connections, failover, "
        + "power_of_two, fastest; did you mean \"sticky\"?")]
    [TestCase("[Balancing]\nStickyBy = users",
        "t.conf:2: [Balancing] StickyBy = \"users\" is not something that sticky can go by; allowed: auto, user, client, destination; did "
        + "you mean \"user\"?")]
    [TestCase("[Balancing]\nIsolation = clinet",
        "t.conf:2: [Balancing] Isolation = \"clinet\" is not a kind of isolation; allowed: client, user, destination, connection, none; "
        + "did you mean \"client\"?")]
    [TestCase("[Balancing]\nMod = random",
        "t.conf:2: [Balancing] has no key \"Mod\"; allowed: Mode, StickyBy, Isolation, KeyFile, Panic, PassOver; did you mean \"Mode\"?")]
    [TestCase("[Balancing]\nTimeout = 9s",
        "t.conf:2: [Balancing] has no key \"Timeout\"; allowed: Mode, StickyBy, Isolation, KeyFile, Panic, PassOver; Timeout belongs into "
        + "[Connect]")]
    [TestCase("[Blacklist]\nmode = sticky",
        "t.conf:2: [Blacklist] has no key \"mode\"; allowed: Relays, Duration, FailureThreshold, MaxRelays, MinRemainingExits, Rebuild; "
        + "Mode belongs into [Listener:name], [Dns] or [Balancing]")]
    [TestCase("[Balancing]\nColour = red",
        "t.conf:2: [Balancing] has no key \"Colour\"; allowed: Mode, StickyBy, Isolation, KeyFile, Panic, PassOver")]
    [TestCase("[Conect]\nTimeout = 9s",
        "t.conf:1: there is no section [Conect]; allowed: Listener:name, User:name, Dns, Admin, Readiness, Balancing, Circuits, Connect, "
        + "Tunnel, Engine, Health, Alerts, Blacklist, Route, Rule:name, Log, Worker:name, Discovery, ManagedWorkers, "
        + "Publisher, OnionService:name, Instance:service/name; did you mean [Connect]?")]
    [TestCase("[Workers:a]",
        "t.conf:1: there is no section [Workers:a]; allowed: Listener:name, User:name, Dns, Admin, Readiness, Balancing, Circuits, "
        + "Connect, Tunnel, Engine, Health, Alerts, Blacklist, Route, Rule:name, Log, Worker:name, Discovery, ManagedWorkers, "
        + "Publisher, OnionService:name, Instance:service/name; did you mean [Worker:a]?")]
    [TestCase("[Worker]\nWeight = 2", "t.conf:1: [Worker] needs a name of its own: [Worker:name]")]
    [TestCase("[Worker:]", "t.conf:1: [Worker:] needs a name of its own: [Worker:name]")]
    [TestCase("[Log:x]", "t.conf:1: [Log:x]: there is only one [Log], it takes no name")]
    [TestCase("[Worker:a b]", "t.conf:1: [Worker:a b] has a name that is not allowed; allowed: letters, digits, '-', '_' and '.', up to 64 "
        + "of them")]
    [TestCase("[Worker:a:b]", "t.conf:1: [Worker:a:b] has a name that is not allowed; allowed: letters, digits, '-', '_' and '.', up to 64 "
        + "of them")]
    [TestCase("[Connect]\nTimeout = 90",
        "t.conf:2: [Connect] Timeout = \"90\" has no unit; allowed: a duration from 1s to 10m, such as 30s; did you mean \"90s\"?")]
    [TestCase("[Connect]\nTimeout = 11m",
        "t.conf:2: [Connect] Timeout = \"11m\" is out of range; allowed: a duration from 1s to 10m, such as 30s")]
    [TestCase("[Connect]\nAttempts = 17", "t.conf:2: [Connect] Attempts = \"17\" is out of range; allowed: a number from 1 to 16")]
    [TestCase("[Connect]\nHedge = of",
        "t.conf:2: [Connect] Hedge = \"of\" is not a way of hedging; allowed: off, adaptive, or after: with a duration from 50ms to 5m, "
        + "such as 30s; did you mean \"off\"?")]
    [TestCase("[Route]\nClearnet = wiregard",
        "t.conf:2: [Route] Clearnet = \"wiregard\" is not a route; allowed: auto, socks, wireguard; did you mean \"wireguard\"?")]
    [TestCase("[Route]\nOnion = direct", "t.conf:2: [Route] Onion = \"direct\" is not a route for onion services; allowed: socks")]
    [TestCase("[Admin]\nAddress = 0.0.0.0:1081",
        "t.conf:2: [Admin] Address = \"0.0.0.0:1081\" is not on loopback: whoever reaches the admin API commands the daemon. Allowed "
        + "with a Token or TokenFile")]
    [TestCase("[Admin]\nToken = geheim",
        "t.conf:2: [Admin] Token is too short; allowed: 16 to 256 letters, digits and - . _ ~ + / =, for instance of openssl rand -hex 32")]
    [TestCase("[Admin]\nTls = /a",
        "t.conf:2: [Admin] Tls = \"/a\" names one file; allowed: cert.pem, key.pem: the paths of two files in PEM")]
    [TestCase("[Admin]\nTokenFile = /nowhere/token", "t.conf:2: [Admin] TokenFile /nowhere/token does not exist")]
    [TestCase("[Admin]\nAddress = unix:/a", "t.conf:2: [Admin] Address = \"unix:/a\" is a unix socket; that goes into Socket")]
    [TestCase("[Admin]\nSocket = /a",
        "t.conf:2: [Admin] Socket = \"/a\" is not a unix socket; allowed: auto, unix:/path or none; did you mean \"unix:/a\"?")]
    [TestCase("[Worker:a]\nAddress = tor.example.org",
        "t.conf:2: [Worker:a] Address = \"tor.example.org\" is a host name, which would have to be resolved outside Tor; allowed: an IP "
        + "address, localhost or unix:/path")]
    [TestCase("[Worker:a]\nAddress = 10.0.0.1:9050",
        "t.conf:2: [Worker:a] Address = \"10.0.0.1:9050\" carries a port, which goes into SocksPort; allowed: an IP address, localhost or "
        + "unix:/path; did you mean \"10.0.0.1\"?")]
    [TestCase("[Worker:a]\nWeight = 0", "t.conf:2: [Worker:a] Weight = \"0\" is out of range; allowed: a number from 1 to 100")]
    [TestCase("[Worker:a]\nWeight = 101", "t.conf:2: [Worker:a] Weight = \"101\" is out of range; allowed: a number from 1 to 100")]
    [TestCase("[Worker:a]\nCountry = germany",
        "t.conf:2: [Worker:a] Country = \"germany\" is not a country code; allowed: a country's two letters, such as de")]
    [TestCase("[Worker:a]\nSocksPort = unix:x",
        "t.conf:2: [Worker:a] SocksPort = \"unix:x\" is not unix: with an absolute path; allowed: a port from 1 to 65535, or unix:/path")]
    [TestCase("[Health]\nRecoveryBackoff = 1s, 4s, 2s",
        "t.conf:2: [Health] RecoveryBackoff = \"1s, 4s, 2s\" does not ascend: 2s comes after 4s; allowed: ascending durations from 100ms "
        + "to 1h, separated by commas")]
    [TestCase("[Health]\nConnectivity = 192.0.2.1:53, dns.example.org:53",
        "t.conf:2: [Health] Connectivity = \"192.0.2.1:53, dns.example.org:53\" has \"dns.example.org:53\", which has a host that is not "
        + "an IP address (names are not looked up here); allowed: host:port or [v6]:port, the host an IP address, several separated by "
        + "commas")]
    [TestCase("[Health]\nConnectivity = 192.0.2.1",
        "t.conf:2: [Health] Connectivity = \"192.0.2.1\" has no port; allowed: host:port or [v6]:port, the host an IP address, several "
        + "separated by commas")]
    [TestCase("[Health]\nConnectivity = 192.0.2.1:0",
        "t.conf:2: [Health] Connectivity = \"192.0.2.1:0\" has no valid port; allowed: host:port or [v6]:port, the host an IP address, "
        + "several separated by commas")]
    [TestCase("[Health]\nRecoveryBackoff = ,",
        "t.conf:2: [Health] RecoveryBackoff = \",\" has an empty item between its commas; allowed: ascending durations from 100ms to 1h, "
        + "separated by commas")]
    [TestCase("[Blacklist]\nRelays = exit",
        "t.conf:2: [Blacklist] Relays = \"exit\" is not a choice of relays; allowed: exits, off; did you mean \"exits\"?")]
    [TestCase("[Listener:a]\nProtocols = socks5, https",
        "t.conf:2: [Listener:a] Protocols = \"socks5, https\" has \"https\", which is not a protocol; allowed: socks5, socks4 (which "
        + "includes 4a) and http, separated by commas; or transparent; did you mean \"http\"?")]
    [TestCase("[Log]\nAccess = maybe", "t.conf:2: [Log] Access = \"maybe\" is neither yes nor no; allowed: yes or no")]
    [TestCase("[ManagedWorkers]\nCount = 33", "t.conf:2: [ManagedWorkers] Count = \"33\" is out of range; allowed: a number from 0 to 32")]
    public void Load_one_mistake_one_message(string text, string expected) => Assert.That(Loading.Errors(text), Is.EqualTo(expected));

    [Test]
    public void Load_all_mistakes_at_once_in_the_order_of_the_file()
    {
        string errors = Loading.Errors("[Balancing]\nMode = x\nMode = y\nthis\n[Nowhere]\n[Connect]\nAttempts = 0\nTimeout = 9\n");

        Assert.That(errors.Split('\n').Select(line => line.Split(':')[1]), Is.EqualTo(new[] { "2", "3", "4", "5", "7", "8" }));
    }

    [TestCase("[Listener:a]\nAuth = required\nUsers = ann:s3cret, bob")]
    [TestCase("[Listener:a]\nAuth = required\nUsers = :s3cret")]
    [TestCase("[Listener:a]\nAuth = required\nUsers = ann:s3cret,,")]
    [TestCase("[Listener:a]\nAuth = required\nUsers = ann:s3cret, ann:s3cret2")]
    [TestCase("[Listener:a]\nAuth = required\nUser = ann:s3cret")]
    [TestCase("[Listener:a]\nUsers ann:s3cret")]
    [TestCase("[Worker:a]\nControlPasswort = s3cret")]
    [TestCase("[Worker:a]\nControlPassword = \"s3cret")]
    [TestCase("[Worker:a]\nControlPassword = s3cret\nControlCookie = /c")]
    [TestCase("[Worker:a]\nControlPassword = s3cret\nControlPassword = s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nworker:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nworker:s3cret]")]
    [TestCase("[Listener:a]\nUsers = ann:x,\n  tor:s3cret,\n  server:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nfile:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nfile s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nreconnect_command:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\ncanary:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\ndomain:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\ninterface:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nlevel:s3cret")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nann:s3cret==")]
    [TestCase("[Listener:a]\nUsers = ann:x,\nfile:s3cret=")]
    [TestCase("[Listener:a]\nUsers = ann:'s3cret'")]
    [TestCase("[Listener:a]\nUsers = [ann:s3cret]")]
    [TestCase("[Health]\nCanary = https://ann:s3cret@example.org/")]
    public void Load_secrets_are_never_shown(string text)
    {
        string errors = Loading.Errors(text);

        Assert.That(errors, Is.Not.Empty);
        Assert.That(errors, Does.Not.Contain("s3cret").And.Not.Contain("ann"));
    }

    [Test]
    public void Load_control_characters_and_long_values_are_shown_tamed()
    {
        string errors = Loading.Errors($"[Balancing]\nMode = \u001b[31m{new string('x', 5000)}");

        Assert.That(errors, Does.Contain("?[31mxxx").And.Not.Contain("\u001b"));
        Assert.That(errors, Has.Length.LessThan(400));
    }
}
