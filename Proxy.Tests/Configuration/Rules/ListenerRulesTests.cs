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
}
