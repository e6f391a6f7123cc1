using System.Net;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Tests.Configuration;

public class ConfigurationRulesTests
{
    private const string Reachable = "can be reached from other machines; set Auth = required with Users, or AllowFrom = the networks that may use it, or listen on 127.0.0.1";

    [TestCase("0.0.0.0:1080")]
    [TestCase("[::]:1080")]
    [TestCase("192.168.1.2:1080")]
    public void Listener_reachable_without_guard_refused(string address)
    {
        string expected = $"t.conf:2: [Listener:a] Address = \"{address}\" {Reachable}";

        Assert.That(Loading.Errors($"[Listener:a]\nAddress = {address}"), Is.EqualTo(expected));
        Assert.That(Loading.Errors($"[Listener:a]\nAddress = {address}\nAuth = optional\nUsers = a:b"), Is.EqualTo(expected));
    }

    [TestCase("Address = 0.0.0.0:1080\nAuth = required\nUsers = a:b")]
    [TestCase("Address = [::]:1080\nAllowFrom = 192.168.0.0/16")]
    [TestCase("Address = unix:/run/x.sock")]
    [TestCase("Address = 127.9.9.9:1080")]
    [TestCase("Address = [::1]:1080")]
    public void Listener_guarded_or_local_accepted(string keys) => Assert.That(Loading.Errors($"[Listener:a]\n{keys}"), Is.Empty);

    [Test]
    public void Listener_open_to_everyone_is_a_warning()
    {
        var result = Loading.Text("[Listener:a]\nAddress = 0.0.0.0:1080\nAllowFrom = 0.0.0.0/0");

        Assert.That(result.IsValid, Is.True);
        Assert.That(Loading.Join(result.Warnings), Is.EqualTo("t.conf:3: [Listener:a] AllowFrom = 0.0.0.0/0 lets everyone use this proxy"));
    }

    [Test]
    public void Listener_wrong_guard_is_complained_of_once() =>
        Assert.That(Loading.Errors("[Listener:a]\nAddress = 0.0.0.0:1080\nAllowFrom = lan").Split('\n'), Has.Length.EqualTo(1));

    [Test]
    public void Listener_auth_required_without_users_refused() =>
        Assert.That(Loading.Errors("[Listener:a]\nAuth = required"), Is.EqualTo("t.conf:2: [Listener:a] Auth = required, but there are no users; add Users = name:password or UsersFile = a file with them"));

    [Test]
    public void Listener_users_that_are_not_asked_for_are_a_warning() =>
        Assert.That(Loading.Join(Loading.Text("[Listener:a]\nUsers = a:b").Warnings), Is.EqualTo("t.conf:2: [Listener:a] the users are not asked for: Auth is none"));

    [TestCase("[Listener:a]\n[Listener:b]", "t.conf:2: [Listener:b] Address = \"127.0.0.1:1080\" is taken by [Listener:a] Address = \"127.0.0.1:1080\"")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:1081", "built-in defaults: x")]
    [TestCase("[Listener:a]\nAddress = 0.0.0.0:1081\nAllowFrom = 10.0.0.0/8", "overlap")]
    [TestCase("[Listener:a]\nAddress = unix:/x\n[Admin]\nSocket = unix:/x", "t.conf:4: [Admin] Socket = \"/x\" is taken by [Listener:a] Address = \"/x\"")]
    public void Addresses_given_twice_refused(string text, string expected)
    {
        string errors = Loading.Errors(text);
        if (expected.StartsWith("t.conf", StringComparison.Ordinal))
            Assert.That(errors, Is.EqualTo(expected));
        else
            Assert.That(errors, Does.StartWith("t.conf:2: [Listener:a] Address = ").And.EndsWith("1081\" is taken by [Admin] Address = \"127.0.0.1:1081\", its default"));
    }

    [TestCase("[Listener:a]\nAddress = 127.0.0.1:0\n[Listener:b]\nAddress = 127.0.0.1:0")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:5\n[Listener:b]\nAddress = [::1]:5")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:5\n[Listener:b]\nAddress = 127.0.0.2:5")]
    [TestCase("[Listener:a]\nAddress = 127.0.0.1:1081\n[Admin]\nAddress = none")]
    public void Addresses_that_differ_accepted(string text) => Assert.That(Loading.Errors(text), Is.Empty);

    [Test]
    public void Admin_none_is_null() => Assert.That(Loading.Text("[Admin]\nAddress = none\nSocket = none").Options.Admin.Address, Is.Null);

    [TestCase("AttemptTimeout", "31s")]
    [TestCase("WorkerTimeout", "40s")]
    public void Timeouts_longer_than_the_whole_refused(string key, string value) =>
        Assert.That(Loading.Errors($"[Connect]\nTimeout = 30s\n{key} = {value}"), Is.EqualTo($"t.conf:3: [Connect] {key} = {value} is longer than Timeout = 30s, which holds for all attempts together"));

    [Test]
    public void Timeouts_defaults_shrink_with_the_whole()
    {
        var result = Loading.Text("[Connect]\nTimeout = 3s");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Connect.AttemptTimeout, Is.EqualTo(TimeSpan.FromSeconds(3)));
        Assert.That(result.Options.Connect.WorkerTimeout, Is.EqualTo(TimeSpan.FromSeconds(3)));
    }

    [Test]
    public void Workers_none_at_all_refused() =>
        Assert.That(Loading.Errors("[ManagedWorkers]\nCount = 0"), Does.StartWith("t.conf:2: [ManagedWorkers] Count = 0 and no [Worker:name] is configured"));

    [Test]
    public void Workers_and_managed_workers_is_a_warning()
    {
        var result = Loading.Text("[Worker:a]\n[ManagedWorkers]\nCount = 5");

        Assert.That(result.IsValid, Is.True);
        Assert.That(Loading.Join(result.Warnings), Is.EqualTo("t.conf:3: [ManagedWorkers] is not used, because there are [Worker:name] sections"));
    }

    [TestCase("[Worker:a]\n[ManagedWorkers]")]
    [TestCase("[Worker:a]\n[ManagedWorkers]\nCount = 0")]
    public void Workers_and_managed_workers_off_or_untouched_is_fine(string text) =>
        Assert.That(Loading.Join(Loading.Text(text).Warnings), Is.Empty);

    [TestCase("[Worker:a]\n[Worker:b]", "t.conf:2: [Worker:b] 127.0.0.1:9050 is the SOCKS address of [Worker:a] already; two workers need two tor processes")]
    [TestCase("[Worker:a]\nAddress = unix:/s\n[Worker:b]\nSocksPort = unix:/s", "t.conf:4: [Worker:b] /s is the SOCKS address of [Worker:a] already; two workers need two tor processes")]
    [TestCase("[Worker:a]\nSocksPort = 1080", "t.conf:2: [Worker:a] 127.0.0.1:1080 is this daemon's own [Listener:main] Address, not a tor process")]
    public void Workers_socks_address_given_twice_refused(string text, string expected) => Assert.That(Loading.Errors(text), Is.EqualTo(expected));

    [TestCase("Address = unix:/s\nSocksPort = 9050", "t.conf:3: [Worker:a] SocksPort contradicts Address")]
    [TestCase("Address = unix:/s\nControlPort = 9051", "t.conf:3: [Worker:a] ControlPort is a port, but Address is a unix socket")]
    [TestCase("Address = unix:/s\nSshPort = 22", "t.conf:3: [Worker:a] SshPort needs an Address that is an IP address")]
    [TestCase("ControlPort = 1\nControlCookie = /c\nControlPassword = p", "t.conf:4: [Worker:a] ControlPassword and ControlCookie contradict each other; give one of the two")]
    public void Worker_contradictions_refused(string keys, string expected) => Assert.That(Loading.Errors($"[Worker:a]\n{keys}"), Does.StartWith(expected));

    [TestCase("", "127.0.0.1", "127.0.0.1:9050", "null")]
    [TestCase("Address = 10.0.0.1\nSocksPort = 9150\nControlPort = 9151", "10.0.0.1", "10.0.0.1:9150", "10.0.0.1:9151")]
    [TestCase("Address = fd00::1\nControlPort = unix:/c", "fd00::1", "[fd00::1]:9050", "/c")]
    [TestCase("Address = localhost", "127.0.0.1", "127.0.0.1:9050", "null")]
    [TestCase("Address = unix:/s\nControlPort = unix:/c", "null", "/s", "/c")]
    [TestCase("SocksPort = unix:/s\nControlPort = 9051", "null", "/s", "127.0.0.1:9051")]
    [TestCase("Address = 10.0.0.1\nSocksPort = unix:/s\nControlPort = 9051", "10.0.0.1", "/s", "10.0.0.1:9051")]
    [TestCase("Address = [fd00::7]\nSocksPort = 9060", "fd00::7", "[fd00::7]:9060", "null")]
    public void Worker_address_and_ports_become_end_points(string keys, string address, string socks, string control)
    {
        var result = Loading.Text($"[Worker:a]\n{keys}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        var worker = result.Options.Workers.Single();
        Assert.That((Loading.Dump(worker.Address), Loading.Dump(worker.SocksEndPoint), Loading.Dump(worker.ControlEndPoint)), Is.EqualTo((address, socks, control)));
    }

    [Test]
    public void Worker_password_without_control_port_is_a_warning_without_the_password() =>
        Assert.That(Loading.Join(Loading.Text("[Worker:a]\nControlPassword = s3cret").Warnings), Is.EqualTo("t.conf:2: [Worker:a] has no ControlPort, so ControlPassword is not used"));

    [Test]
    public void Listener_all_keys_arrive()
    {
        var listener = Loading.Text("""
            [Listener:lan]
            Address = [::]:1180
            Protocols = http, SOCKS4
            Auth = required
            Users = ann:a:b, bob : p w
            AllowFrom = 10.0.0.0/8, ::1
            Mode = sticky
            Isolation = destination
            ExtendedErrors = on
            HandshakeTimeout = 3s
            MaxConnections = 100
            SocketMode = 0600
            """).Options.Listeners.Single();

        Assert.That(listener.Address, Is.EqualTo(new IPEndPoint(IPAddress.IPv6Any, 1180)));
        Assert.That(listener.Protocols, Is.EqualTo(ListenerProtocols.Http | ListenerProtocols.Socks4));
        Assert.That(listener.Auth, Is.EqualTo(ListenerAuth.Required));
        Assert.That(listener.Users, Is.EquivalentTo(new Dictionary<string, string> { ["ann"] = "a:b", ["bob"] = "p w" }));
        Assert.That(Loading.Dump(listener.AllowFrom), Is.EqualTo("[10.0.0.0/8, ::1/128]"));
        Assert.That((listener.Mode, listener.Isolation, listener.ExtendedErrors), Is.EqualTo(("sticky", (IsolationMode?)IsolationMode.Destination, true)));
        Assert.That((listener.HandshakeTimeout, listener.MaxConnections), Is.EqualTo((TimeSpan.FromSeconds(3), 100)));
        Assert.That(listener.SocketMode, Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    /// <summary>Passwords with the signs of comments stay possible: without white space in front of them, or in double quotes.</summary>
    [TestCase("ann:a#b;c", "a#b;c")]
    [TestCase("\"ann:a # b ; c\"", "a # b ; c")]
    [TestCase("\"ann:'x'\" ; the admin", "'x'")]
    [TestCase("\"ann:'p w'\"", "'p w'")]
    [TestCase("\"ann:{x}, bob:y\"", "{x}")]
    [TestCase("\"ann:a // b -- c /* d\"", "a // b -- c /* d")]
    [TestCase("ann:a//b--c/*d", "a//b--c/*d")]
    [TestCase("ann:{x", "{x")]
    [TestCase("ann:it's\"so", "it's\"so")]
    [TestCase("ann:a:b", "a:b")]
    [TestCase("\"ann:back\\\"", "back\\")]
    public void Users_passwords_with_signs_are_kept(string users, string password)
    {
        var result = Loading.Text($"[Listener:a]\nAuth = required\nUsers = {users}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Listeners.Single().Users["ann"], Is.EqualTo(password));
    }

    [TestCase("[fd00::7:9050]", "[fd00::7:9050]:9050")]
    [TestCase("fd00::7:8", "[fd00::7:8]:9050")]
    [TestCase("2001:db8:0:0:0:0:0:9050", "[2001:db8::9050]:9050")]
    public void Worker_address_that_cannot_be_mistaken_is_taken(string address, string socks) =>
        Assert.That(Loading.Dump(Loading.Text($"[Worker:a]\nAddress = {address}").Options.Workers.Single().SocksEndPoint), Is.EqualTo(socks));

    [TestCase("Domain = example.org", "Domain = www.example.org\nPort = 80", true)]
    [TestCase("Port = 1-1000", "Port = 22, 80", true)]
    [TestCase("Network = 10.0.0.0/8", "Network = 10.1.0.0/16", true)]
    [TestCase("Domain = www.example.org", "Domain = example.org", false)]
    [TestCase("Domain = example.org\nPort = 80", "Domain = example.org", false)]
    [TestCase("Domain = ample.org", "Domain = example.org", false)]
    [TestCase("Network = 10.1.0.0/16", "Network = 10.0.0.0/8", false)]
    public void Rule_behind_one_that_fits_all_of_it_is_a_warning(string first, string second, bool warns)
    {
        var result = Loading.Text($"[Rule:a]\n{first}\nRoute = reject\n[Rule:b]\n{second}\nRoute = socks");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(Loading.Join(result.Warnings), warns ? Does.EndWith("[Rule:b] never decides: [Rule:a] stands before it and fits every target of it") : Is.Empty);
    }
}
