using TorBalancer.Configuration.Reload;

namespace TorBalancer.Tests.Configuration.Reload;

public class ConfigurationDiffTests
{
    [TestCase("", "[Balancing]\nMode = random", "[Balancing] Mode: round_robin -> random", TestName = "a key is given")]
    [TestCase("[Balancing]\nMode = random", "", "[Balancing] Mode: random -> round_robin", TestName = "a key is left out")]
    [TestCase("", "[Balancing]\nMode = round_robin", "", TestName = "the default is written down")]
    [TestCase("[balancing]\nmode = random", "[Balancing]\nMode = random", "", TestName = "in other letter case")]
    [TestCase("[Connect]\nAttempts = 2\nTimeout = 20s", "[Connect]\nTimeout = 20s\nAttempts = 2 ; two", "", TestName = "in another order")]
    [TestCase(
        "[Worker:a]\nWeight = 2", "[Worker:a]\nWeight = 2\n[Worker:b]\nAddress = 10.0.0.2\nSocksPort = 9060",
        "[Worker:b] Address: (none) -> 10.0.0.2|[Worker:b] SocksPort: (none) -> 9060", TestName = "a section comes")]
    [TestCase(
        "[Worker:a]\n[Worker:b]\nAddress = 10.0.0.2", "[Worker:a]", "[Worker:b] Address: 10.0.0.2 -> (none)",
        TestName = "a section goes")]
    [TestCase(
        "[Worker:a]\nAddress = 10.0.0.1\n[Worker:b]", "[Worker:b]\n[Worker:a]\nAddress = 10.0.0.1", "[Worker] (order): a, b -> b, a",
        TestName = "the order of failover")]
    [TestCase(
        "[Listener:x]\nAuth = required\nUsers = ann:one", "[Listener:x]\nAuth = required\nUsers = ann:two",
        "[Listener:x] Users: (secret) -> (another secret)", TestName = "a secret is not shown")]
    [TestCase(
        "[Alerts]\nWebhook = http://127.0.0.1/first", "[Alerts]\nWebhook = http://127.0.0.1/second",
        "[Alerts] Webhook: http://127.0.0.1/(hidden) -> http://127.0.0.1/(hidden) (another one)",
        TestName = "a webhook's path is not shown")]
    [TestCase(
        "", "[Alerts]\nWebhook = http://127.0.0.1/first", "[Alerts] Webhook: (empty) -> http://127.0.0.1/(hidden)",
        TestName = "a webhook comes")]
    public void Names_each_key_that_differs(string old, string next, string expected) =>
        Assert.That(string.Join('|', Diff(old, next)), Is.EqualTo(expected));

    [Test]
    public void Says_what_needs_a_restart()
    {
        var changes = Diff("", "[Engine]\nLoops = 2\n[Balancing]\nMode = random\n[Log]\nFormat = json");
        Assert.That(
            changes.Where(static change => change.NeedsRestart).Select(static change => change.Key),
            Is.EqualTo(new[] { "Loops", "Format" }));
    }

    [Test]
    public void Sees_other_users_in_the_same_file()
    {
        var before = new FakeFiles { Texts = { ["/wd/users"] = "ann:one\n" } };
        var after = new FakeFiles { Texts = { ["/wd/users"] = "ann:one\nben:two\n" } };
        const string text = "[Listener:x]\nAuth = required\nUsersFile = users";
        var changes = ConfigurationDiff.Of(Loading.Schema, Loading.Text(text, before), Loading.Text(text, after));
        Assert.That(string.Join('|', changes), Is.EqualTo("[Listener:x] UsersFile: 1 users -> 2 users, others"));
    }

    private static IReadOnlyList<ConfigurationChange> Diff(string old, string next) =>
        ConfigurationDiff.Of(Loading.Schema, Loading.Text(old), Loading.Text(next));
}
