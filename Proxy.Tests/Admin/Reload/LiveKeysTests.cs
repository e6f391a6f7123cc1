using System.Reflection;
using System.Runtime.Versioning;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reload;
using TorBalancer.Configuration.Schema;
using TorBalancer.Tests.Configuration;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin.Reload;

/// <summary>Every key is live or needs a restart, and is what it is said to be.</summary>
[CancelAfter(60_000)]
[SupportedOSPlatform("linux")]
public sealed class LiveKeysTests
{
    private const string Base =
        "[Listener:x]\nAddress = 127.0.0.1:0\n[Worker:x]\nAddress = 127.0.0.1\n[Rule:x]\nDomain = x.example\nRoute = reject\n"
            + "[Health]\nCanary = https://x.example/\n";

    // Another value for each key, with what it needs beside it.
    private static readonly Dictionary<string, string> Others = new(StringComparer.Ordinal)
    {
        ["Listener.Protocols"] = "http",
        ["Listener.Sniff"] = "yes\nProtocols = transparent",
        ["Listener.Auth"] = "optional\nUsers = ann:secret",
        ["Listener.Users"] = "ann:secret\nAuth = optional",
        ["Listener.UsersFile"] = "users\nAuth = optional",
        ["Listener.FailedLogins"] = "30",
        ["Listener.AllowFrom"] = "127.0.0.0/8",
        ["Listener.ProxyProtocol"] = "127.0.0.0/8",
        ["Listener.Tls"] = "cert.pem, key.pem",
        ["Listener.DenyFrom"] = "192.0.2.0/24",
        ["Listener.AllowTargets"] = ".example.com, 203.0.113.0/24:443",
        ["Listener.DenyTargets"] = "*:25",
        ["Listener.MaxConnectionsPerClient"] = "7",
        ["Listener.MaxConnectionsPerUser"] = "7",
        ["Listener.ConnectionRate"] = "20/s",
        ["Listener.ConnectionRatePerClient"] = "20/s burst 40",
        ["Listener.ConnectionRatePerUser"] = "600/m",
        ["User.MaxConnections"] = "7",
        ["User.ConnectionRate"] = "20/s",
        ["User.Bandwidth"] = "1MiB/s",
        ["User.Modes"] = "random, sticky",
        ["User.Workers"] = "x",
        ["User.Countries"] = "de, fr",
        ["Listener.Bandwidth"] = "1MiB/s",
        ["Listener.BandwidthPerClient"] = "512KiB/s",
        ["Listener.BandwidthPerUser"] = "1GiB/s",
        ["Listener.Mode"] = "random",
        ["Listener.Isolation"] = "user",
        ["Listener.Country"] = "de",
        ["Listener.ExtendedErrors"] = "yes",
        ["Listener.TellExit"] = "yes",
        ["Listener.HandshakeTimeout"] = "20s",
        ["Listener.MaxConnections"] = "7",
        ["Listener.SocketMode"] = "0600",
        ["Admin.Address"] = "127.0.0.1:1999",
        ["Admin.Socket"] = "none",
        ["Admin.FetchMemory"] = "128MiB",
        ["Admin.Token"] = "0123456789abcdef",
        ["Admin.TokenFile"] = "token",
        ["Admin.Otlp"] = "http://127.0.0.1:4318/",
        ["Admin.OtlpInterval"] = "30s",
        ["Readiness.Address"] = "127.0.0.1:1998",
        ["Readiness.Agent"] = "127.0.0.1:1997",
        ["Dns.Address"] = "127.0.0.1:1996",
        ["Dns.AllowFrom"] = "127.0.0.0/8",
        ["Dns.Mode"] = "sticky",
        ["Dns.TimeToLive"] = "30s",
        ["Dns.QueryRatePerClient"] = "10/s",
        ["Dns.VirtualAddresses"] = "10.64.0.0/10",
        ["Balancing.Mode"] = "random",
        ["Balancing.StickyBy"] = "user",
        ["Balancing.Isolation"] = "user",
        ["Balancing.KeyFile"] = "key",
        ["Balancing.Panic"] = "try_all",
        ["Balancing.PassOver"] = "3s",
        ["Circuits.Warm"] = "off",
        ["Circuits.MaxWarm"] = "8",
        ["Connect.Timeout"] = "80s",
        ["Connect.Attempts"] = "2",
        ["Connect.AttemptTimeout"] = "40s",
        ["Connect.WorkerTimeout"] = "4s",
        ["Connect.Hedge"] = "adaptive",
        ["Connect.RetryBudget"] = "10",
        ["Connect.RetryFloor"] = "5",
        ["Connect.PreConnect"] = "4",
        ["Tunnel.IdleTimeout"] = "1h",
        ["Tunnel.LameDuck"] = "10s",
        ["Tunnel.DrainTimeout"] = "10s",
        ["Tunnel.EndWhenWorkerIsGone"] = "no",
        ["Tunnel.KeepAlive"] = "30s",
        ["Tunnel.UserTimeout"] = "30s",
        ["Engine.Transport"] = "sockets",
        ["Engine.Loops"] = "1",
        ["Health.Enabled"] = "no",
        ["Health.FailureThreshold"] = "4",
        ["Health.SuccessThreshold"] = "3",
        ["Health.SuspectWindow"] = "20s",
        ["Health.CheckInterval"] = "5s",
        ["Health.RecoveryBackoff"] = "1s, 3s",
        ["Health.OnionCanary"] = "http://2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion/",
        ["Health.Connectivity"] = "9.9.9.9:53",
        ["Health.ProbeTimeout"] = "20s",
        ["Health.StepTimeout"] = "4s",
        ["Health.ReconnectTimeout"] = "2m",
        ["Health.SlowStart"] = "10s",
        ["Alerts.Webhook"] = "http://127.0.0.1:9/",
        ["Alerts.Command"] = "true",
        ["Alerts.MinInterval"] = "2m",
        ["Blacklist.Relays"] = "off",
        ["Blacklist.Duration"] = "6m",
        ["Blacklist.FailureThreshold"] = "4",
        ["Blacklist.MaxRelays"] = "8",
        ["Blacklist.MinRemainingExits"] = "40",
        ["Blacklist.Rebuild"] = "no",
        ["Route.Clearnet"] = "socks",
        ["Route.Isolated"] = "as_routed",
        ["Route.Family"] = "prefer_ipv6",
        ["Route.NameCache"] = "5m",
        ["Route.FirstByteTimeout"] = "30s",
        ["Route.AllowTargets"] = ".example.com, 203.0.113.0/24:443",
        ["Route.DenyTargets"] = "*:25",
        ["Rule.Port"] = "80",
        ["Log.Level"] = "debug",
        ["Log.Format"] = "json",
        ["Log.File"] = "t.log",
        ["Log.Access"] = "no",
        ["Log.Targets"] = "yes",
        ["Worker.SocksPort"] = "9055",
        ["Worker.ControlPort"] = "9056",
        ["Worker.ControlCookie"] = "cookie\nControlPort = 9056",
        ["Worker.ControlPassword"] = "secret\nControlPort = 9056",
        ["Worker.SshPort"] = "22",
        ["Worker.WgInterface"] = "lo\nWgHostAddress = 127.0.0.1",
        ["Worker.WgHostAddress"] = "127.0.0.1\nWgInterface = lo",
        ["Worker.WgWorkerAddress"] = "127.0.0.9\nWgInterface = lo\nWgHostAddress = 127.0.0.1",
        ["Worker.DnsPort"] = "53\nWgInterface = lo\nWgHostAddress = 10.9.9.1\nWgWorkerAddress = 10.9.9.2",
        ["Worker.ReconnectCommand"] = "true",
        ["Worker.Weight"] = "3",
        ["Worker.Country"] = "de",
        ["Worker.Tor"] = "no",
        ["Discovery.Name"] = "workers.example\nResolver = 127.0.0.1:5300",
        ["Discovery.Resolver"] = "127.0.0.1:5300",
        ["Discovery.Interval"] = "20s",
        ["Discovery.Port"] = "9150",
        ["Discovery.ControlPort"] = "9151",
        ["ManagedWorkers.Count"] = "2",
        ["ManagedWorkers.DataDirectory"] = "data",
        ["ManagedWorkers.TorPath"] = "tor",
        ["ManagedWorkers.Countries"] = "any:2",
        ["ManagedWorkers.ExtraTorrc"] = "extra",
    };

    private static readonly SchemaSection[] OfProxy = [.. Loading.Schema.Sections.Except(Loading.Schema.OfPublisher)];

    // These stand in what every test begins with; [Route] Onion has one value only; bridges, transports and certificates are long.
    private static readonly Dictionary<string, (string Old, string New)> Replaced = new(StringComparer.Ordinal)
    {
        ["Listener.Address"] = ("Address = 127.0.0.1:0", "Address = 127.0.0.2:0"),
        ["Listener.Session"] = ("Address = 127.0.0.1:0", $"Address = {FreePort.OwnAddress()}:20000-20001\nSession = port"),
        ["Listener.SessionLifetime"] = (
            "Address = 127.0.0.1:0", $"Address = {FreePort.OwnAddress()}:20000\nSession = port\nSessionLifetime = 10m"),
        ["Health.Canary"] = ("Canary = https://x.example/", "Canary = https://y.example/"),
        ["Rule.Domain"] = ("Domain = x.example", "Domain = y.example"),
        ["Rule.Network"] = ("Domain = x.example", "Network = 10.0.0.0/8"),
        ["Rule.Route"] = ("Route = reject", "Route = socks"),
        ["Worker.Address"] = ("[Worker:x]\nAddress = 127.0.0.1", "[Worker:x]\nAddress = 127.0.0.3"),
    };

    // The other way of a transparent listener needs a capability.
    private static readonly string[] Untried =
        ["Listener.Transparent", "Route.Onion", "ManagedWorkers.Bridges", "ManagedWorkers.Transports", "Admin.Tls"];

    /// <summary>What the sections that a reload may change are kept in.</summary>
    private static readonly Type[] Sections =
    [
        typeof(AlertsOptions), typeof(BalancingOptions), typeof(BlacklistOptions), typeof(CircuitsOptions), typeof(ConnectOptions),
        typeof(HealthOptions), typeof(LogOptions), typeof(ReadinessOptions), typeof(RouteOptions), typeof(TunnelOptions),
    ];

    [Test]
    public void Every_key_is_tried() => Assert.That(
        OfProxy.SelectMany(static section => section.Keys.Select(key => $"{section.Name}.{key.Name}")),
        Is.EquivalentTo((IEnumerable<string>)[.. Others.Keys, .. Replaced.Keys, .. Untried]));

    [Test]
    public async Task A_change_of_each_key_is_in_force_or_named()
    {
        await using var proxy = await ReloadableProxy.StartAsync(Base);
        await File.WriteAllTextAsync(Path.Combine(proxy.Directory, "users"), "ann:secret\n");
        await File.WriteAllTextAsync(Path.Combine(proxy.Directory, "extra"), "");
        string key = Path.Combine(proxy.Directory, "key");
        await File.WriteAllTextAsync(key, new string('a', 64));
        string token = Path.Combine(proxy.Directory, "token");
        await File.WriteAllTextAsync(token, "0123456789abcdef\n");
        foreach (string secret in (string[])[key, token])
            File.SetUnixFileMode(secret, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        TestCertificate.Write(proxy.Directory);
        foreach (var section in OfProxy)
        {
            foreach (var one in section.Keys.Where(one => !Untried.Contains($"{section.Name}.{one.Name}")))
                await TryAsync(proxy, section, one);
        }
    }

    /// <summary>Whoever goes by a section that may change has it as it is now, not as it was when he was made.</summary>
    [Test]
    public void Nobody_keeps_a_section_that_may_change() => Assert.That(
        from type in typeof(LiveOptions).Assembly.GetTypes()
        where type.Namespace?.StartsWith("TorBalancer.Configuration", StringComparison.Ordinal) == false && !IsMadeAnew(type)
        from parameter in type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .SelectMany(static constructor => constructor.GetParameters())
        where Sections.Contains(parameter.ParameterType)
        select $"{type.FullName}({parameter.Name})", Is.Empty);

    // What one sequence of probes goes by is made of the section as it is when it is replaced.
    private static bool IsMadeAnew(Type type) => type is { Name: "Plan", DeclaringType.Name: "WorkerProbeSequence" };

    private static async Task TryAsync(ReloadableProxy proxy, SchemaSection section, SchemaKey key)
    {
        string name = $"{section.Name}.{key.Name}", path = section.IsNamed ? section.Name + ":x" : section.Name;
        Assert.That((await proxy.ReloadAsync(Base)).IsDone, Is.True, name);
        string before = Loading.Dump(proxy.Live.All.Value);
        var outcome = await proxy.ReloadAsync(With(name, path, key));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Errors, Is.Empty, name);

            bool IsThis(ConfigurationChange change) => change.Section == path && change.Key == key.Name;
            Assert.That(outcome.Changed.Any(IsThis), Is.EqualTo(!key.NeedsRestart), $"{name} in changed");
            Assert.That(outcome.RestartNeeded.Any(IsThis), Is.EqualTo(key.NeedsRestart), $"{name} in restart_needed");
            if (!key.NeedsRestart)
                Assert.That(Loading.Dump(proxy.Live.All.Value), Is.Not.EqualTo(before), $"{name} has reached the options in force");
        });
    }

    private static string With(string name, string path, SchemaKey key)
    {
        if (Replaced.TryGetValue(name, out var replaced))
            return Base.Replace(replaced.Old, replaced.New, StringComparison.Ordinal);
        string line = $"{key.Name} = {Others[name]}\n", header = $"[{path}]\n";
        return Base.Contains(header, StringComparison.Ordinal)
            ? Base.Replace(header, header + line, StringComparison.Ordinal)
            : Base + header + line;
    }
}
