using TorBalancer.Balancing;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Tests.Protocols;

public class UserParametersTests
{
    private readonly UserParametersParser _parser = new(SelectionPolicyNames.All);

    [TestCase("session-abc", "x", "session=abc")]
    [TestCase("session-abc-mode-failover", "", "session=abc mode=failover")]
    [TestCase("mode-least_connections", "", "mode=least_connections")]
    [TestCase("worker-worker-02", "", "worker=worker-02")]
    [TestCase("worker-worker-02-session-s1", "", "session=s1 worker=worker-02")]
    [TestCase("worker-a.b-session-s1", "", "")]
    [TestCase("session-abc-lifetime-10m-rotate-5", "", "session=abc lifetime=00:10:00 rotate=5")]
    [TestCase("SESSION-Abc", "", "session=Abc")]
    [TestCase("brd-customer-C1-zone-res-session-abc", "pw", "base=C1 session=abc")]
    [TestCase("customer-U-cc-DE-sessid-abc-sesstime-10", "pw", "base=U session=abc country=de lifetime=00:10:00")]
    [TestCase("user-joe-session-x-sessionduration-30", "pw", "base=joe session=x lifetime=00:30:00")]
    [TestCase("joe", "secret_country-br_session-8chars_lifetime-10m", "base=joe session=8chars country=br lifetime=00:10:00")]
    [TestCase("session-Y,country-US", "", "session=Y country=us")]
    public void Parse_takes_the_grammar_and_the_habits_of_gateways(string user, string password, string expected) =>
        Assert.That(Describe(user, password), Is.EqualTo(expected));

    [TestCase("example.com", "0123456789abcdef", Description = "Tor Browser: first-party domain and nonce")]
    [TestCase("session-store.com", "0123456789abcdef")]
    [TestCase("worker-union.org", "0123456789abcdef")]
    [TestCase("--unknown--", "0123456789abcdef")]
    [TestCase("torsocks-1234:1700000000", "0")]
    [TestCase("", "")]
    [TestCase("alice", "secret")]
    [TestCase("alice-and-bob", "a_b_c")]
    [TestCase("user-joe", "pw")]
    [TestCase("session", "")]
    [TestCase("anna-session-abc", "", Description = "in open mode a name in front needs user- or customer-")]
    public void Parse_leaves_other_names_alone(string user, string password) => Assert.That(Describe(user, password), Is.Empty);

    [TestCase("session-abc-colour-red", "the parameter behind 'session' is unknown")]
    [TestCase("session-", "no value")]
    [TestCase("session-abc-mode", "no value")]
    [TestCase("mode-fastst", "parameter 'mode' names an unknown mode")]
    [TestCase("mode-", "no value")]
    [TestCase("session-a-session-b", "twice")]
    [TestCase("session-a-sessid-b", "twice")]
    [TestCase("session-a-lifetime-forever", "is a time")]
    [TestCase("session-a-lifetime-25h", "is a time")]
    [TestCase("session-a-rotate-0", "number of connections")]
    [TestCase("lifetime-10m", "need a session")]
    [TestCase("session-ab!c", "letters, digits")]
    [TestCase("country-germany", "two-letter")]
    [TestCase("sesion-abc", "did you mean 'session'")]
    [TestCase("mdoe-random", "did you mean 'mode'")]
    public void Parse_says_what_is_wrong(string user, string message)
    {
        var error = _parser.Parse(new ClientCredentials(user, ""), null, out _);
        Assert.That(error.Cause, Is.EqualTo(FailureCause.BadUserParameters));
        Assert.That(error.Detail, Does.Contain(message));
    }

    [TestCase("alice", "alice", "base=alice")]
    [TestCase("alice-session-abc", "alice", "base=alice session=abc")]
    [TestCase("user-alice-session-abc", "alice", "base=alice session=abc")]
    [TestCase("a-b-session-abc", "a-b", "base=a-b session=abc")]
    [TestCase("a.b-session-abc", "a.b", "base=a.b session=abc")]
    [TestCase("user-bob-session-abc", "user-bob", "base=user-bob session=abc")]
    [TestCase("user-bob,session-abc", "user-bob", "base=user-bob session=abc")]
    [TestCase("user-user-bob-session-abc", "user-bob", "base=user-bob session=abc")]
    [TestCase("user-bob", "user-bob", "base=user-bob")]
    [TestCase("user-session-abc", "user", "base=user session=abc")]
    [TestCase("mallory-session-abc", null, null)]
    public void A_known_user_stands_in_front_of_its_parameters(string user, string? known, string? expected)
    {
        var users = new Dictionary<string, string> { ["alice"] = "x", ["a-b"] = "x", ["a.b"] = "x", ["user-bob"] = "x", ["user"] = "x" };
        string? found = UserParametersParser.FindKnownUser(user, users);
        Assert.That(found, Is.EqualTo(known));
        if (known is not null)
            Assert.That(Describe(user, "x", known), Is.EqualTo(expected));
    }

    [Test]
    public void A_known_user_with_a_wrong_parameter_is_an_error()
    {
        var error = _parser.Parse(new ClientCredentials("alice-colour-red", "x"), "alice", out _);
        Assert.That(error.Detail, Does.StartWith("the first parameter is unknown; allowed: session, "));
    }

    /// <summary>Errors are logged, and what stands where a parameter is expected may be a part of a password.</summary>
    [TestCase("joe", "hunter2_mode-SECRET")]
    [TestCase("joe", "hunter2_mode-random_SECRET-x")]
    [TestCase("joe", "hunter2_mode-random_SECRET")]
    [TestCase("joe", "hunter2_lifetime-SECRET")]
    [TestCase("joe", "hunter2_session-x_rotate-SECRET")]
    [TestCase("joe", "hunter2_country-SECRET")]
    [TestCase("joe", "hunter2_session-SEC!RET")]
    [TestCase("session-a-SECRET-b", "")]
    [TestCase("sesion-SECRET", "")]
    [TestCase("user-SECRET-mode-SECRET", "")]
    public void Parse_error_repeats_nothing_of_what_was_sent(string user, string password)
    {
        var error = _parser.Parse(new ClientCredentials(user, password), null, out _);
        Assert.That(error.Cause, Is.EqualTo(FailureCause.BadUserParameters));
        Assert.That(error.Detail, Does.Not.Contain("SEC").And.Not.Contain("RET").And.Not.Contain("hunter2"));
    }

    [Test]
    public void Ten_thousand_mutated_names_never_throw()
    {
        var random = new Random(7);
        const string letters = "session-abcmodeworker_.,0123456789 \u00e9";
        for (int i = 0; i < 10_000; i++)
        {
            string user = new([.. Enumerable.Range(0, random.Next(40)).Select(_ => letters[random.Next(letters.Length)])]);
            string prefix = random.Next(3) switch { 0 => "session-", 1 => "user-", _ => "" };
            _parser.Parse(new ClientCredentials(prefix + user, user), random.Next(2) == 0 ? null : "s", out _);
        }
    }

    private string Describe(string user, string password, string? known = null)
    {
        var error = _parser.Parse(new ClientCredentials(user, password), known, out var p);
        Assert.That(error.IsError, Is.False, error.ToString());
        return string.Join(' ', new[]
        {
            p.BaseUser.Length > 0 && (known is not null || !p.IsEmpty) ? $"base={p.BaseUser}" : null,
            p.Session is null ? null : $"session={p.Session}",
            p.Mode is null ? null : $"mode={p.Mode}",
            p.Worker is null ? null : $"worker={p.Worker}",
            p.Country is null ? null : $"country={p.Country}",
            p.SessionLifetime is null ? null : $"lifetime={p.SessionLifetime}",
            p.RotateAfterUses is null ? null : $"rotate={p.RotateAfterUses}",
        }.OfType<string>());
    }
}
