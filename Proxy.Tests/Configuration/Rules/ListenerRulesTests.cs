namespace TorBalancer.Tests.Configuration.Rules;

public class ListenerRulesTests
{
    private const string Reachable = "can be reached from other machines; set Auth = required with Users, or AllowFrom = the networks that "
        + "may use it, or listen on 127.0.0.1";

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
        Assert.That(Loading.Errors("[Listener:a]\nAuth = required"),
            Is.EqualTo("t.conf:2: [Listener:a] Auth = required, but there are no users; add Users = name:password or UsersFile = a file "
            + "with them"));

    [Test]
    public void Listener_users_that_are_not_asked_for_are_a_warning() =>
        Assert.That(Loading.Join(Loading.Text("[Listener:a]\nUsers = a:b").Warnings),
            Is.EqualTo("t.conf:2: [Listener:a] the users are not asked for: Auth is none"));

    [TestCase("127.0.0.1:1080", "127.0.0.1")]
    [TestCase("127.0.0.1:1080", "unix, 127.0.0.0/8, ::1")]
    [TestCase("127.0.0.1:1080", "off")]
    [TestCase("unix:/run/x.sock", "unix")]
    public void Proxy_protocol_of_those_who_can_connect_is_taken(string address, string peers) =>
        Assert.That(Said($"Address = {address}\nProxyProtocol = {peers}"), Is.Empty);

    [TestCase("127.0.0.1:1080", "10.0.0.5",
        "ProxyProtocol takes the header from nobody: only this machine reaches 127.0.0.1:1080, and it is in none of its networks")]
    [TestCase("0.0.0.0:1080\nAllowFrom = 10.0.0.0/8", "::/0",
        "ProxyProtocol = ::/0 lets everyone say that he is another: AllowFrom, isolation and the log go by it", 4)]
    [TestCase("127.0.0.1:1080", "unix", "ProxyProtocol = unix, but 127.0.0.1:1080 is no unix socket: allowed there are networks")]
    [TestCase("unix:/run/x.sock", "10.0.0.5",
        "ProxyProtocol names networks, but Address is a unix socket: allowed there is unix, for all that may connect to it")]
    public void Proxy_protocol_of_others_is_complained_of(string address, string peers, string expected, int line = 3) =>
        Assert.That(
            Said($"Address = {address}\nProxyProtocol = {peers}"),
            Is.EqualTo(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"t.conf:{line}: [Listener:a] {expected}")));

    [TestCase("yes", "[Listener:a] ProxyProtocol = \"yes\" is not a network")]
    [TestCase("10.0.0.0/8,", "[Listener:a] ProxyProtocol = \"10.0.0.0/8,\" has an empty item between its commas")]
    [TestCase("unix, x", "[Listener:a] ProxyProtocol = \"unix, x\" has \"x\", which is not a network")]
    public void Proxy_protocol_takes_networks_only(string value, string expected) =>
        Assert.That(Loading.Errors($"[Listener:a]\nProxyProtocol = {value}"), Does.Contain(expected));

    private static string Said(string keys)
    {
        var result = Loading.Text($"[Listener:a]\n{keys}");
        return Loading.Join([.. result.Errors, .. result.Warnings]);
    }
}
