using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Daemon.Doctor;
using TorBalancer.Testnet;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Doctor;

/// <summary>
/// Faults, planted one by one: each is found by its check, and by no other, so that its test fails when the check is taken out.
/// </summary>
[CancelAfter(120_000)]
public class DoctorTests
{
    private DoctorPatient _patient = null!;

    [SetUp]
    public void Create() => _patient = new DoctorPatient();

    [TearDown]
    public void Delete() => _patient.Dispose();

    [Test]
    public async Task Test_network_is_healthy_but_for_the_faults_of_its_tors_version(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        _patient.Configuration = "[Listener:main]\nAddress = 127.0.0.1:0\n[ManagedWorkers]\nCount = 0\n" + TestNetworkConf.Render(network);

        var patient = await _patient.ExamineAsync(token);

        Assert.That(patient.Workers.Select(static worker => worker.Socks), Has.All.EqualTo(SocksAnswer.Tor));
        Assert.That(patient.Workers.Select(static worker => worker.Control!.Problem), Has.All.Null);
        Assert.That(patient.Workers.Select(static worker => worker.Control!.SocksLine), Has.All.Not.Null);
        Assert.That(
            DoctorPatient.FindingsOf(patient).Where(static one => one.Finding.Severity > Severity.Note && one.Check != "tor_version"),
            Is.Empty);
    }

    [Test]
    public async Task Fault_01_mistake_in_the_configuration(CancellationToken token)
    {
        _patient.Configuration = "[Balancing]\nMode = rond_robin\n";
        await FoundAsync("configuration", Severity.Error, "rond_robin", token);
    }

    [Test]
    public async Task Fault_02_port_of_a_listener_is_taken(CancellationToken token)
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        _patient.Configuration = $"[Listener:main]\nAddress = {other.LocalEndPoint}\n[ManagedWorkers]\nCount = 0\n{Worker("127.0.0.1", 1)}";
        await FoundAsync("listener_port", Severity.Error, "is taken by another program", token);
    }

    [Test]
    public async Task Fault_03_worker_is_dead(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        admin.Proxy.Pool.SetOperational(admin.Proxy.Pool.Find("worker-01")!, WorkerOperationalState.Dead, "3 failures: worker_refused");
        _patient.Daemon = admin.Server.Address;
        await FoundAsync("worker_state", Severity.Error, "it is DEAD: 3 failures: worker_refused", token);
    }

    [Test]
    public async Task Worker_that_was_taken_out_is_a_note_whatever_its_state(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        var leaving = admin.Proxy.Pool.Find("worker-01")!;
        using var lease = leaving.Lease();
        admin.Proxy.Pool.SetOperational(leaving, WorkerOperationalState.Recovery, "worker_refused");
        admin.Proxy.Pool.Apply([]);
        _patient.Daemon = admin.Server.Address;

        await FoundAsync("worker_state", Severity.Note, "was taken out", token);
    }

    /// <summary>That of a test network's worker, or of one that was added while the daemon runs, stands in no file.</summary>
    [TestCase("true", 0), TestCase("false", 1)]
    public async Task Control_port_that_the_daemon_watches_is_not_missed(string isConnected, int notes, CancellationToken token)
    {
        using var answer = JsonDocument.Parse($$$"""{"workers":[{"id":"w","tor":{"connected":{{{isConnected}}}}}]}""");
        _patient.Configuration = Worker("127.0.0.1", 9);
        _patient.Change = patient => patient with
        {
            Daemon = new DaemonState(answer.RootElement, ""),
            Workers = [.. patient.Workers.Select(static one => one with { Socks = SocksAnswer.Tor })],
        };

        var found = DoctorPatient.FindingsOf(await _patient.ExamineAsync(token));

        Assert.That(
            found.Count(static one => one.Finding.What.StartsWith("without a control port", StringComparison.Ordinal)), Is.EqualTo(notes));
    }

    [Test]
    public async Task Fault_04_nothing_listens_on_a_SocksPort(CancellationToken token)
    {
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _patient.Configuration = Worker("127.0.0.1", ((IPEndPoint)closed.LocalEndPoint!).Port);
        await FoundAsync("worker_reachable", Severity.Error, "Connection refused", token);
    }

    [Test]
    public async Task Fault_05_SocksPort_is_a_control_port(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "ControlPort 127.0.0.1:auto");
        await using var control = await tor.ConnectAsync(token);
        var port = IPEndPoint.Parse((await control.GetInfoAsync("net/listeners/control", token)).Split(' ').First(
            static one => one.Contains("127.0.0.1", StringComparison.Ordinal)).Trim('"'));
        _patient.Configuration = Worker("127.0.0.1", port.Port);
        await FoundAsync("worker_reachable", Severity.Error, "is no SocksPort", token);
    }

    /// <summary>A server that looks names up by itself would do so for every client.</summary>
    [Test]
    public async Task Fault_06_worker_is_another_SOCKS_server(CancellationToken token)
    {
        await using var server = await SocksServer.StartAsync("microsocks", token);
        _patient.Configuration = Worker("127.0.0.1", server.EndPoint.Port);
        await FoundAsync("worker_is_tor", Severity.Error, "is not tor", token);
    }

    /// <summary>It refuses the question by which a tor is known, which made it another server.</summary>
    [Test]
    public async Task Fault_06_tor_refuses_addresses(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        await using var tor = await ClientTor.StartAsync(network, "IsolateSOCKSAuth", token, "SafeSocks 1");
        _patient.Configuration = Worker("127.0.0.1", tor.Socks.Port);

        await FoundAsync("socks_addresses", Severity.Warning, "its tor has SafeSocks 1", token);

        var found = DoctorPatient.FindingsOf(await _patient.ExamineAsync(token));
        Assert.That(found.Where(static one => one.Check == "worker_is_tor"), Is.Empty);
    }

    [Test]
    public async Task Fault_07_SOCKS_in_the_clear_over_the_Internet(CancellationToken token)
    {
        _patient.Change = static patient => patient with
        {
            Workers =
            [
                new ExaminedWorker(new WorkerModel("far", IPEndPoint.Parse("203.0.114.5:9050")), SocksAnswer.Tor, "", new ControlState()),
            ],
        };
        await FoundAsync("worker_network", Severity.Warning, "in the clear", token);
    }

    [Test]
    public async Task Fault_08_interface_of_a_link_is_not_there(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        _patient.Configuration = Worker(
            "127.0.0.1", ((IPEndPoint)worker.EndPoint).Port, "WgInterface = wg-none", "WgHostAddress = 10.201.1.1", "Tor = no");
        await FoundAsync("link", Severity.Error, "there is no interface wg-none", token);
    }

    [Test]
    public async Task Fault_09_no_tor_executable_for_managed_workers(CancellationToken token)
    {
        _patient.Configuration = "[ManagedWorkers]\nTorPath = no-such-tor\n";
        await FoundAsync("tor_program", Severity.Error, "there is no tor executable (", token);
    }

    [Test]
    public async Task Fault_10_version_with_known_faults(CancellationToken token)
    {
        await using var control = new FakeControlPort();
        _patient.Configuration = Worker("127.0.0.1", 1, ControlPort(control.EndPoint));
        await FoundAsync("tor_version", Severity.Warning, TorFault.OnionCircuitOfClosedStream.Reference, token);
    }

    [Test]
    public async Task Fault_11_tor_has_its_network_off(CancellationToken token) =>
        await FoundOfTorAsync("tor_start", Severity.Error, "DisableNetwork 1", token);

    [Test]
    public async Task Fault_12_clocks_differ(CancellationToken token)
    {
        _patient.Time = new ShiftedTimeProvider(TimeSpan.FromMinutes(7));
        await FoundOfTorAsync("clock", Severity.Warning, "clock and this one's differ by", token);
    }

    [Test]
    public async Task Fault_13_list_of_relays_is_of_another_time(CancellationToken token)
    {
        var now = TimeProvider.System.GetUtcNow();
        _patient.Change = patient => patient with
        {
            Workers =
            [
                new ExaminedWorker(new WorkerModel("w", IPEndPoint.Parse("127.0.0.1:1")), SocksAnswer.Tor, "", new ControlState
                {
                    Consensus = (now.AddDays(-9), now.AddDays(-8)),
                }),
            ],
        };
        await FoundAsync("clock", Severity.Error, "its list of relays holds from", token);
    }

    [Test]
    public async Task Fault_14_password_of_a_control_port_is_wrong(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(
            token, "HashedControlPassword 16:E600ADC1B52C80BB6022A0E999A7734571A451EB6AE50FED489B72E3DF");
        _patient.Configuration = Worker("127.0.0.1", 1, $"ControlPort = unix:{tor.Directory}/control", "ControlPassword = wrong");
        await FoundAsync("control_port", Severity.Error, "does not let us in", token);
    }

    [Test]
    public async Task Fault_15_control_port_asks_for_nothing(CancellationToken token) =>
        await FoundOfTorAsync("control_open", Severity.Warning, "asks for neither cookie nor password", token);

    [TestCase("NoIsolateSOCKSAuth ExtendedErrors", "socks_isolation", "Error", "all share circuits")]
    [TestCase("OnionTrafficOnly ExtendedErrors", "socks_isolation", "Error", "refuses every target")]
    [TestCase("NoOnionTraffic ExtendedErrors", "socks_isolation", "Warning", "refuses onion services")]
    [TestCase("IsolateDestAddr ExtendedErrors", "socks_isolation", "Note", "a circuit for each target")]
    [TestCase("IsolateSOCKSAuth", "socks_errors", "Warning", "without ExtendedErrors")]
    [TestCase("ExtendedErrors", "socks_sessions", "Note", "ten minutes after its first connection")]
    public async Task Fault_16_to_18_flags_of_a_SocksPort(
        string flags, string check, string severity, string expected, CancellationToken token) =>
        await FoundOfTorAsync(check, Enum.Parse<Severity>(severity), expected, token, ("SocksPort", $"127.0.0.1:9 {flags}"));

    [Test]
    public async Task Fault_19_SocksPort_for_everybody(CancellationToken token) =>
        await FoundOfTorAsync("socks_open", Severity.Warning, "from everywhere", token, ("SocksPort", "0.0.0.0:9 ExtendedErrors"));

    [TestCase("SafeLogging", "0", "Warning")]
    [TestCase("UseEntryGuards", "0", "Warning")]
    [TestCase("MaxCircuitDirtiness", "15", "Warning")]
    [TestCase("SocksTimeout", "20", "Note")]
    public async Task Fault_20_settings_of_a_torrc(string name, string value, string severity, CancellationToken token) =>
        await FoundOfTorAsync("torrc", Enum.Parse<Severity>(severity), $"{name} {value}", token, (name, value));

    [Test]
    public async Task Fault_21_country_without_GeoIP(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "GeoIPFile /nonexistent");
        _patient.Configuration = Worker("127.0.0.1", 9, $"ControlPort = unix:{tor.Directory}/control", "Country = de");
        await FoundAsync("geoip", Severity.Error, "no GeoIP file", token);
    }

    [Test]
    public async Task Fault_22_country_with_few_exits(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        var worker = network.Workers[0];
        _patient.Configuration = Worker(
            "127.0.0.1", worker.SocksPort, $"ControlPort = unix:{worker.ControlPath}", $"ControlCookie = {worker.CookiePath}",
            "Country = de");
        await FoundAsync("country_exits", Severity.Warning, "in its country de the network has 0 exits", token);
    }

    [TestCase("100", "Error"), TestCase("512", "Warning")]
    public async Task Fault_23_few_descriptors(string limit, string severity, CancellationToken token)
    {
        _patient.Write("proc/self/limits", $"Max open files            {limit}                 {limit}              files     \n");
        await FoundAsync("descriptors", Enum.Parse<Severity>(severity), $"the limit is {limit}", token);
    }

    [Test]
    public async Task Fault_24_short_queue_of_the_kernels(CancellationToken token)
    {
        _patient.Write(SystemFacts.SomaxConn, "128\n");
        await FoundAsync("kernel", Severity.Warning, "128: so few clients may wait", token);
    }

    [TestCase("", "518 clients at a time take 12.1 MiB at most while they are silent, and 550 MiB when each")]
    [TestCase("", "; the kernel keeps up to ")]
    [TestCase("MaxConnections = 36", "100 clients at a time take 2.3 MiB at most")]
    [TestCase("MaxConnections = 36\n[Admin]\nFetchMemory = 64MiB", "96.0 MiB beside that")]
    public async Task Bound_of_memory_is_told(string listener, string expected, CancellationToken token)
    {
        _patient.Write("proc/self/limits", "Max open files            1024                 1100              files     \n");
        _patient.Write(SystemFacts.TcpMemory, "1\t2\t1024\n");
        _patient.Configuration = Worker("127.0.0.1", 1) + $"\n[Listener:main]\n{listener}\n";
        await FoundAsync("memory", Severity.Note, expected, token);
    }

    [Test]
    public async Task Fault_25_few_local_ports(CancellationToken token)
    {
        _patient.Write(SystemFacts.LocalPorts, "60000\t61000\n");
        await FoundAsync("kernel", Severity.Warning, "60000 to 61000", token);
    }

    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Fault_26_isolation_key_that_others_can_read(CancellationToken token)
    {
        _patient.Write(".local/state/torbalancer/isolation.key", new string('a', 64) + "\n");
        File.SetUnixFileMode(_patient.Path(".local/state/torbalancer/isolation.key"), (UnixFileMode)Convert.ToInt32("644", 8));
        await FoundAsync("secret_files", Severity.Error, "has mode 0644", token);
    }

    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Fault_27_control_cookie_that_others_can_read(CancellationToken token)
    {
        _patient.Write("cookie", new string('c', 32));
        File.SetUnixFileMode(_patient.Path("cookie"), (UnixFileMode)Convert.ToInt32("644", 8));
        _patient.Configuration = Worker("127.0.0.1", 1, "ControlPort = 1", $"ControlCookie = {_patient.Path("cookie")}");
        await FoundAsync("secret_files", Severity.Warning, "may command that tor", token);
    }

    [Test]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task Fault_file_of_users_that_others_can_read_and_passwords_in_plain_text(CancellationToken token)
    {
        _patient.Write("users", "ann:s3cret\n");
        File.SetUnixFileMode(_patient.Path("users"), (UnixFileMode)Convert.ToInt32("644", 8));
        _patient.Configuration = Worker("127.0.0.1", 1)
            + $"\n[Listener:main]\nAddress = 127.0.0.1:0\nAuth = required\nUsersFile = {_patient.Path("users")}\n";
        await FoundAsync("secret_files", Severity.Warning, "the file of users of main has mode 0644", token);
        await FoundAsync("configuration", Severity.Warning, "the password is in plain text", token);
    }

    [TestCase("proxy = \"socks5://127.0.0.1:1080\"", true)]
    [TestCase("proxy = \"socks5h://127.0.0.1:1080\"", false)]
    [TestCase("#proxy = \"socks5://127.0.0.1:1080\"", false)]
    [TestCase("proxy = \"socks5://127.0.0.1:9999\"", false)]
    public async Task Fault_28_curl_looks_names_up_by_itself(string line, bool isFound, CancellationToken token)
    {
        _patient.Configuration = "[ManagedWorkers]\nCount = 0\n" + Worker("127.0.0.1", 1);
        _patient.Write(".curlrc", line + "\n");
        if (isFound)
            await FoundAsync("name_leaks", Severity.Warning, "your DNS server hears them", token);
        else
        {
            var found = DoctorPatient.FindingsOf(await _patient.ExamineAsync(token));
            Assert.That(found.Select(static one => one.Check), Has.None.EqualTo("name_leaks"));
        }
    }

    [Test]
    public async Task Fault_29_environment_looks_names_up_and_its_password_is_not_shown(CancellationToken token)
    {
        _patient.Set("ALL_PROXY", "socks5://ann:s3cret@127.0.0.1:1080/");
        var finding = await FoundAsync("name_leaks", Severity.Warning, "write socks5h://", token);
        Assert.That(finding.Where, Is.EqualTo("$ALL_PROXY = socks5://(hidden)@127.0.0.1:1080/"));
    }

    /// <summary>A tor that answers on its control port and has no network at all; the settings are given to it by that port.</summary>
    private async Task FoundOfTorAsync(
        string check, Severity severity, string expected, CancellationToken token, params (string Name, string Value)[] settings)
    {
        await using var tor = await RealTor.StartAsync(token);
        await using (var control = await tor.ConnectAsync(token))
        {
            foreach (var (name, value) in settings)
                await control.SetConfAsync([new KeyValuePair<string, string?>(name, value)], token);
        }

        _patient.Configuration = Worker("127.0.0.1", 9, $"ControlPort = unix:{tor.Directory}/control");
        await FoundAsync(check, severity, expected, token);
    }

    private async Task<Finding> FoundAsync(string check, Severity severity, string expected, CancellationToken token)
    {
        var patient = await _patient.ExamineAsync(token);

        var found = DoctorPatient.FindingsOf(patient);
        var (name, finding) = found.FirstOrDefault(
            one => one.Finding.Severity == severity
                && $"{one.Finding.What} {one.Finding.Mend}".Contains(expected, StringComparison.Ordinal));
        Assert.That(finding, Is.Not.Null, $"{expected} is not among:\n{string.Join('\n', found)}");
        Assert.That(name, Is.EqualTo(check));
        Assert.That(finding.Where, Is.Not.Empty);
        Assert.That(finding.Mend, Is.Not.Empty);
        Assert.That(DoctorPatient.FindingsOf(patient, without: check).Select(static one => one.Finding), Has.None.EqualTo(finding));
        return finding;
    }

    private static string Worker(string address, int port, params string[] lines) =>
        $"[Worker:w]\nAddress = {address}\nSocksPort = {port}\n{string.Join('\n', lines)}\n";

    private static string ControlPort(EndPoint endPoint) => $"ControlPort = {((IPEndPoint)endPoint).Port}";
}
