using System.Net;
using TorBalancer.Authentication;
using TorBalancer.Interop;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Authentication;

[CancelAfter(60_000)]
public class PasswordCheckerTests
{
    // Several hundred milliseconds of a processor.
    private const int SlowRounds = 1_000_000;

    [OneTimeSetUp]
    public void RequireLibrary()
    {
        if (CryptCalls.SupportOf("$2y$04$") == CryptSupport.LibraryMissing)
            Assert.Ignore($"skipped: {CryptCalls.Library} is not installed");
    }

    [TestCase("$2y$")]
    [TestCase("$2b$")]
    [TestCase("$2a$")]
    [TestCase("$5$")]
    [TestCase("$6$")]
    [TestCase("$y$")]
    public async Task Hash_is_computed_once_for_a_user_and_password_whatever_the_parameters(string prefix, CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        int cost = prefix.StartsWith("$2", StringComparison.Ordinal) ? 4 : 0;
        var listener = PasswordsUnderTest.Listener("main", 20, ("jürgen", PasswordsUnderTest.Hash("schlüssel", prefix, cost)));

        Assert.That(await passwords.LogInAsync(listener, "jürgen", "schlüssel", token), Is.EqualTo((FailureCause.None, false)));
        foreach (var (user, password) in ((string, string)[])
            [
                ("jürgen", "schlüssel"), ("jürgen-session-a", "schlüssel"), ("user-jürgen-session-b-lifetime-10m", "schlüssel"),
                ("jürgen", "schlüssel_session-c"), ("jürgen", "schlüssel_mode-random_session-d"),
            ])
        {
            var answer = await passwords.LogInAsync(listener, user, password, token);
            Assert.That(answer, Is.EqualTo((FailureCause.None, true)), user + password);
        }

        Assert.That(passwords.Hashing.Computed, Is.EqualTo(1));
    }

    [Test]
    public async Task Parameters_behind_a_password_that_is_hashed_are_read(CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var listener = PasswordsUnderTest.Listener("main", 20, ("ann", PasswordsUnderTest.Hash("se_cret")));
        var connection = passwords.Connect(listener);
        var credentials = new ClientCredentials("ann", "se_cret_session-x");

        Assert.That(connection.TryCheck(credentials, out _), Is.False);
        Assert.That((await connection.CheckAsync(credentials, token)).IsError, Is.False);
        Assert.That(connection.Parameters.Session, Is.EqualTo("x"));
        Assert.That(connection.Parameters.BaseUser, Is.EqualTo("ann"));
        Assert.That(connection.Parameters.SecretOf(credentials), Is.EqualTo("se_cret"));
    }

    [Test]
    public async Task Clients_that_come_together_share_one_hash(CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var listener = PasswordsUnderTest.Listener("main", 3, ("ann", PasswordsUnderTest.Hash("secret", "$6$", SlowRounds)));

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 50).Select(_ => Task.Run(() => passwords.LogInAsync(listener, "ann", "secret", token))));

        Assert.That(answers.Select(static one => one.Cause), Is.All.EqualTo(FailureCause.None));
        Assert.That(passwords.Hashing.Computed, Is.EqualTo(1));
    }

    /// <summary>Behind one address there may be many, and what is being computed is not wrong.</summary>
    [TestCase(1)]
    [TestCase(2)]
    public async Task Right_passwords_of_one_address_are_all_let_in_while_few_may_be_wrong(int bound, CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest(new ManualTimeProvider());
        string[] users = ["ann", "bob", "carol", "dave", "eve", "frank"];
        var listener = PasswordsUnderTest.Listener(
            "main", bound, [.. users.Select(static user => (user, PasswordsUnderTest.Hash("pw of " + user, "$6$", SlowRounds / 4)))]);

        var answers = await Task.WhenAll(
            users.Select(user => Task.Run(() => passwords.LogInAsync(listener, user, "pw of " + user, token), token)));

        Assert.That(answers.Select(static one => one.Cause), Is.All.EqualTo(FailureCause.None));
        Assert.That(passwords.Hashing.Computed, Is.EqualTo(users.Length));
    }

    /// <summary>However many come at once.</summary>
    [TestCase(1)]
    [TestCase(3)]
    public async Task No_more_wrong_passwords_of_one_address_are_computed_than_may_be_wrong(int bound, CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest(new ManualTimeProvider());
        var listener = PasswordsUnderTest.Listener("main", bound, ("ann", PasswordsUnderTest.Hash("secret", "$6$", SlowRounds / 8)));

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 40).Select(i => Task.Run(() => passwords.LogInAsync(listener, "ann", $"guess{i}", token), token)));

        Assert.That(passwords.Hashing.Computed, Is.EqualTo(bound));
        Assert.That(answers.Count(static one => one.Cause == FailureCause.AuthFailed), Is.EqualTo(bound));
        Assert.That(answers.Count(static one => one.Cause == FailureCause.TooManyFailedLogins), Is.EqualTo(40 - bound));
    }

    /// <summary>The same name and password elsewhere are another user's.</summary>
    [Test]
    public async Task Listeners_with_other_hashes_share_nothing(CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var one = PasswordsUnderTest.Listener("one", 20, ("ann", PasswordsUnderTest.Hash("secret", "$6$", SlowRounds)));
        var other = PasswordsUnderTest.Listener("other", 20, ("ann", PasswordsUnderTest.Hash("different")));

        var first = passwords.LogInAsync(one, "ann", "secret", token);
        var second = passwords.LogInAsync(other, "ann", "secret", token);

        Assert.That((await first).Cause, Is.EqualTo(FailureCause.None));
        Assert.That((await second).Cause, Is.EqualTo(FailureCause.AuthFailed));
        Assert.That((await passwords.LogInAsync(other, "ann", "secret", token)).Cause, Is.EqualTo(FailureCause.AuthFailed));
    }

    [Test]
    public async Task Name_that_nobody_has_costs_a_hash_too(CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var listener = PasswordsUnderTest.Listener("main", 20, ("ann", PasswordsUnderTest.Hash("secret")));
        Assert.That(await passwords.LogInAsync(listener, "ann", "secret", token), Is.EqualTo((FailureCause.None, false)));

        Assert.That(await passwords.LogInAsync(listener, "mallory", "secret", token), Is.EqualTo((FailureCause.AuthFailed, false)));
        Assert.That(await passwords.LogInAsync(listener, "ann", "guess", token), Is.EqualTo((FailureCause.AuthFailed, false)));
        Assert.That(passwords.Hashing.Computed, Is.EqualTo(3));
    }

    [TestCase("")]
    [TestCase("_session-a")]
    [TestCase("secret\0")]
    [TestCase("secret\0more")]
    [TestCase("secre")]
    [TestCase("secretx")]
    public async Task Password_that_is_nearly_right_is_wrong(string password, CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var listener = PasswordsUnderTest.Listener("main", 20, ("ann", PasswordsUnderTest.Hash("secret")));
        await passwords.LogInAsync(listener, "ann", "secret", token);
        Assert.That((await passwords.LogInAsync(listener, "ann", password, token)).Cause, Is.EqualTo(FailureCause.AuthFailed));
        Assert.That(
            (await passwords.LogInAsync(listener, "ann", new string('x', 10_000), token)).Cause, Is.EqualTo(FailureCause.AuthFailed));
    }

    [Test]
    public async Task Over_the_bound_nothing_is_computed_and_not_even_the_right_password_is_looked_at(CancellationToken token)
    {
        var time = new ManualTimeProvider();
        using var passwords = new PasswordsUnderTest(time);
        var listener = PasswordsUnderTest.Listener(
            "main", 4, ("ann", PasswordsUnderTest.Hash("secret")), ("bob", PasswordsUnderTest.Hash("hunter")));
        await passwords.LogInAsync(listener, "bob", "hunter", token);
        for (int i = 0; i < 4; i++)
            Assert.That((await passwords.LogInAsync(listener, "ann", $"guess{i}", token)).Cause, Is.EqualTo(FailureCause.AuthFailed));
        long computed = passwords.Hashing.Computed;

        var refused = (FailureCause.TooManyFailedLogins, true);
        Assert.That(await passwords.LogInAsync(listener, "ann", "guess4", token), Is.EqualTo(refused));
        Assert.That(await passwords.LogInAsync(listener, "ann", "secret", token), Is.EqualTo(refused), "else it could be guessed at");
        Assert.That(await passwords.LogInAsync(listener, "mallory", "secret", token), Is.EqualTo(refused));
        Assert.That(await passwords.LogInAsync(listener, "bob", "hunter", token), Is.EqualTo((FailureCause.None, true)), "a bystander");
        Assert.That(passwords.Hashing.Computed, Is.EqualTo(computed));
        Assert.That(
            await passwords.LogInAsync(listener, "ann", "secret", token, client: "192.0.2.2"), Is.EqualTo((FailureCause.None, false)),
            "from elsewhere");

        time.Advance(TimeSpan.FromSeconds(15));
        Assert.That((await passwords.LogInAsync(listener, "ann", "guess5", token)).Cause, Is.EqualTo(FailureCause.AuthFailed));
        Assert.That((await passwords.LogInAsync(listener, "ann", "secret", token)).Cause, Is.EqualTo(FailureCause.TooManyFailedLogins));
        time.Advance(TimeSpan.FromSeconds(15));
        Assert.That((await passwords.LogInAsync(listener, "ann", "secret", token)).Cause, Is.EqualTo(FailureCause.None));
    }

    [Test]
    public async Task Over_the_bound_the_answer_says_when_the_next_is_looked_at(CancellationToken token)
    {
        var time = new ManualTimeProvider();
        using var passwords = new PasswordsUnderTest(time);
        var listener = PasswordsUnderTest.Listener("main", 4, ("ann", "secret"));
        for (int i = 0; i < 4; i++)
            await passwords.LogInAsync(listener, "ann", $"guess{i}", token);
        foreach (int seconds in (int[])[15, 9, 1])
        {
            passwords.Connect(listener).TryCheck(new ClientCredentials("ann", "secret"), out var error);
            Assert.That((error.Cause, error.RetryAfter), Is.EqualTo((FailureCause.TooManyFailedLogins, (ushort)seconds)));
            time.Advance(TimeSpan.FromSeconds(seconds == 15 ? 6 : seconds == 9 ? 8.5 : 0.5));
        }

        Assert.That((await passwords.LogInAsync(listener, "ann", "secret", token)).Cause, Is.EqualTo(FailureCause.None));
    }

    /// <summary>What is remembered or in plain text is compared without a hash, and must not be guessed at for nothing.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task Guesses_at_what_is_known_are_bounded(bool hashed, CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest(new ManualTimeProvider());
        var listener = PasswordsUnderTest.Listener(
            "main", 5, ("ann", hashed ? PasswordsUnderTest.Hash("secret") : "secret"), ("bob", PasswordsUnderTest.Hash("hunter")));
        await passwords.LogInAsync(listener, "ann", "secret", token, client: "192.0.2.9");
        for (int i = 0; i < 5; i++)
            await passwords.LogInAsync(listener, "bob", $"guess{i}", token);

        // Nothing is computed for this address any more.
        for (int i = 0; i < 5; i++)
            await passwords.LogInAsync(listener, "ann", $"guess{i}", token);

        Assert.That((await passwords.LogInAsync(listener, "ann", "secret", token)).Cause, Is.EqualTo(FailureCause.TooManyFailedLogins));
    }

    [Test]
    public async Task Who_waits_too_long_is_told_so_and_is_not_computed(CancellationToken token)
    {
        var time = new ManualTimeProvider();
        using var passwords = new PasswordsUnderTest(time);
        var listener = PasswordsUnderTest.Listener("main", 0, ("ann", PasswordsUnderTest.Hash("secret", "$6$", SlowRounds * 2)));
        var busy = Enumerable.Range(0, PasswordHashing.MaxThreads)
            .Select(i => passwords.LogInAsync(listener, "ann", $"guess{i}", token)).ToArray();
        while (passwords.Hashing.Computed < PasswordHashing.MaxThreads)
            await Task.Delay(5, token);

        var late = passwords.LogInAsync(listener, "ann", "late", token);
        time.Advance(TimeSpan.FromSeconds(8));

        Assert.That((await late).Cause, Is.EqualTo(FailureCause.LoginsOverloaded));
        await Task.WhenAll(busy);
        await passwords.LogInAsync(listener, "ann", "secret", token);
        Assert.That(passwords.Hashing.Computed, Is.EqualTo(PasswordHashing.MaxThreads + 1));
    }

    [Test]
    public async Task Queue_is_bounded(CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var listener = PasswordsUnderTest.Listener("main", 0, ("ann", PasswordsUnderTest.Hash("secret", "$6$", SlowRounds * 2)));
        for (int i = 0; i < PasswordHashing.MaxThreads; i++)
            _ = passwords.LogInAsync(listener, "ann", $"busy{i}", token);
        while (passwords.Hashing.Computed < PasswordHashing.MaxThreads)
            await Task.Delay(5, token);
        var waiting = Enumerable.Range(0, PasswordHashing.MaxQueued).Select(i => passwords.LogInAsync(listener, "ann", $"wait{i}", token))
            .ToArray();

        var next = passwords.LogInAsync(listener, "ann", "next", token);

        Assert.That((await next).Cause, Is.EqualTo(FailureCause.LoginsOverloaded));
        Assert.That(waiting.Count(static one => one.IsCompleted), Is.LessThan(PasswordHashing.MaxQueued));
    }

    [Test]
    public async Task Users_that_are_replaced_are_judged_anew_on_live_connections_and_who_is_unchanged_is_remembered(
        CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var (ann, bob, eve) = (PasswordsUnderTest.Hash("secret"), PasswordsUnderTest.Hash("hunter"), PasswordsUnderTest.Hash("other"));
        var before = PasswordsUnderTest.Listener("main", 20, ("ann", ann), ("bob", bob), ("gone", bob));
        foreach (var (user, password) in ((string, string)[])[("ann", "secret"), ("bob", "hunter"), ("gone", "hunter")])
            Assert.That((await passwords.LogInAsync(before, user, password, token)).Cause, Is.EqualTo(FailureCause.None));

        before.Users.ReplaceBy(PasswordsUnderTest.Listener("main", 20, ("ann", ann), ("bob", eve)).Users);

        Assert.That(await passwords.LogInAsync(before, "ann", "secret", token), Is.EqualTo((FailureCause.None, true)));
        Assert.That(await passwords.LogInAsync(before, "bob", "hunter", token), Is.EqualTo((FailureCause.AuthFailed, false)));
        Assert.That(await passwords.LogInAsync(before, "bob", "other", token), Is.EqualTo((FailureCause.None, false)));
        Assert.That(await passwords.LogInAsync(before, "gone", "hunter", token), Is.EqualTo((FailureCause.AuthFailed, false)));

        // Once more, as seen from all generations.
        var last = PasswordsUnderTest.Listener("main", 20, ("ann", eve));
        before.Users.ReplaceBy(last.Users);
        foreach (var listener in (ListenerModel[])[before, last])
            Assert.That((await passwords.LogInAsync(listener, "ann", "other", token)).Cause, Is.EqualTo(FailureCause.None));
        last.Users.ReplaceBy(PasswordsUnderTest.Listener("main", 20, ("ann", ann)).Users);
        Assert.That((await passwords.LogInAsync(before, "ann", "other", token)).Cause, Is.EqualTo(FailureCause.AuthFailed));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_is_known_is_answered_without_allocating(bool hashed, CancellationToken token)
    {
        using var passwords = new PasswordsUnderTest();
        var listener = PasswordsUnderTest.Listener("main", 20, ("ann", hashed ? PasswordsUnderTest.Hash("secret") : "secret"));
        await passwords.LogInAsync(listener, "ann", "secret", token);
        await passwords.LogInAsync(listener, "other", "secret", token);
        var login = new Login(
            listener.Users.Current.ByName["ann"], "ann", IsKnown: true, "secret_session-x", new LoginPlace("main", IPAddress.Loopback, 20));
        long allocated = 0;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                if (passwords.Checker.TryVerify(login, out int length) != LoginVerdict.Right || length != 6)
                    Assert.Fail("it is right");
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.That(allocated / 1000, Is.Zero);
    }
}
