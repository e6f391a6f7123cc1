using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl;

public sealed class ControlConnectionTests
{
    private static readonly ControlConnectionOptions Patient = new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(20),
        CommandTimeout = TimeSpan.FromSeconds(20),
    };
    private static readonly ControlConnectionOptions Hasty = Patient with { CommandTimeout = TimeSpan.FromMilliseconds(200) };

    [Test, CancelAfter(30_000)]
    public async Task Commands_at_once_get_their_own_replies(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command => command.StartsWith("GETINFO ", StringComparison.Ordinal)
            ? $"650 BW 1 2\r\n250-{command[8..]}=value of {command[8..]}\r\n250 OK\r\n"
            : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token);

        var values = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => control.GetInfoAsync($"key{i}", token)));

        Assert.That(values, Is.EqualTo(Enumerable.Range(0, 100).Select(i => $"value of key{i}")));
        Assert.That(control.Info.TorVersion, Is.EqualTo("0.4.9.11"));
    }

    [Test, CancelAfter(30_000)]
    public async Task GetInfo_of_several_keys_mixes_lines_and_data(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command => command.StartsWith("GETINFO ", StringComparison.Ordinal)
            ? "250-version=0.4.9.11\r\n250+circuit-status=\r\n1 BUILT\r\n..x\r\n.\r\n250-stream-status=\r\n250 OK\r\n"
            : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token);

        Assert.That(
            await control.GetInfoAsync(["version", "circuit-status", "stream-status"], token),
            Is.EqualTo(new[] { "0.4.9.11", "1 BUILT\n.x\n", "" }));
        Assert.That(await control.GetInfoLinesAsync("circuit-status", token), Is.EqualTo(new[] { "1 BUILT", ".x" }));
        Assert.That(await control.GetInfoLinesAsync("stream-status", token), Is.Empty);
        Assert.That(
            () => control.GetInfoAsync("missing", token), Throws.InstanceOf<ControlProtocolException>().With.Message.Contains("missing"));
    }

    [Test, CancelAfter(30_000)]
    public async Task Commands_are_spelt_as_the_specification_has_them(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command => command.StartsWith("EXTENDCIRCUIT", StringComparison.Ordinal) ? "250 EXTENDED 77\r\n"
            : command == "CLOSECIRCUIT 9" ? "552 Unknown circuit \"9\"\r\n"
            : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token);
        fake.Commands.Clear();

        await control.SetConfAsync([new("ExcludeExitNodes", "$AA,$BB"), new("ContactInfo", "a \"b\"\\\n"), new("Nickname", null)], token);
        await control.ResetConfAsync([new("__OwningControllerProcess", null)], token);
        await control.SignalAsync("NEWNYM", token);
        await control.SetEventsAsync(["CIRC", "STREAM"], token);
        await control.SetEventsAsync([], token);
        Assert.That(await control.CloseCircuitAsync("8", onlyIfUnused: true, token));
        Assert.That(await control.CloseCircuitAsync("9", onlyIfUnused: false, token), Is.False);
        Assert.That(await control.ExtendNewCircuitAsync(token), Is.EqualTo("77"));
        await control.TakeOwnershipAsync(token);

        Assert.That(fake.Commands, Is.EqualTo(new[]
        {
            """SETCONF ExcludeExitNodes="$AA,$BB" ContactInfo="a \"b\"\\\012" Nickname""",
            "RESETCONF __OwningControllerProcess",
            "SIGNAL NEWNYM",
            "SETEVENTS CIRC STREAM",
            "SETEVENTS",
            "CLOSECIRCUIT 8 IfUnused",
            "CLOSECIRCUIT 9",
            "EXTENDCIRCUIT 0",
            "TAKEOWNERSHIP",
        }));
    }

    [Test, CancelAfter(30_000)]
    public async Task Descriptors_are_fetched_by_address_and_posted_as_data(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command => command.StartsWith("+HSPOST SERVER=BB ", StringComparison.Ordinal)
            ? "554 Invalid descriptor\r\n"
            : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token);
        fake.Commands.Clear();

        await control.FetchDescriptorAsync("abc", token);
        await control.PostDescriptorAsync("abc", ["AA", "CC"], "hs-descriptor 3\n.\n.x\nsignature y\n", token);
        await control.SignalAsync("ACTIVE", token);
        Assert.That(
            () => control.PostDescriptorAsync("abc", ["BB"], "x\n", token),
            Throws.InstanceOf<ControlReplyException>().With.Message.Contains("HSPOST").And.Message.Contains("554"));
        Assert.That(() => control.PostDescriptorAsync("abc", ["AA SERVER=BB"], "x\n", token), Throws.ArgumentException);
        Assert.That(() => control.PostDescriptorAsync("a\r\nQUIT", ["AA"], "x\n", token), Throws.ArgumentException);

        Assert.That(
            fake.Commands,
            Is.EqualTo(new[]
            {
                "HSFETCH abc",
                "+HSPOST SERVER=AA SERVER=CC HSADDRESS=abc\nhs-descriptor 3\n..\n..x\nsignature y\n.",
                "SIGNAL ACTIVE",
                "+HSPOST SERVER=BB HSADDRESS=abc\nx\n.",
            }));
    }

    [Test, CancelAfter(30_000)]
    public async Task Arguments_cannot_smuggle_in_a_second_command(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        await using var control = await ConnectAsync(fake, token);

        Assert.That(() => control.SignalAsync("NEWNYM\r\nSIGNAL SHUTDOWN", token), Throws.ArgumentException);
        Assert.That(() => control.GetInfoAsync("a b", token), Throws.ArgumentException);
        Assert.That(() => control.SendAsync("GETINFO a\nQUIT", token), Throws.ArgumentException);
        Assert.That(fake.Commands, Has.None.Contains("SHUTDOWN"));
    }

    [Test, CancelAfter(30_000)]
    public async Task A_refusal_is_an_exception_that_names_command_and_code(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command =>
            command.StartsWith("SETEVENTS", StringComparison.Ordinal)
                ? "552 Unrecognized event \"X\"\r\n"
                : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token);

        var refused = (await Assert.CatchAsync<ControlReplyException>(() => control.SetEventsAsync(["X"], token)))!;

        Assert.That((refused.Code, refused.Command), Is.EqualTo((552, "SETEVENTS")));
        Assert.That(refused.Message, Does.Contain("Unrecognized event"));
    }

    [Test, CancelAfter(30_000)]
    public async Task A_late_reply_is_not_taken_for_the_next_commands(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command =>
            command == "GETINFO slow"
                ? ""
                : command == "GETINFO fast"
                    ? "250-slow=late\r\n250 OK\r\n250-fast=right\r\n250 OK\r\n"
                    : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token, Hasty);

        Assert.That(() => control.GetInfoAsync("slow", token), Throws.InstanceOf<TimeoutException>().With.Message.Contains("GETINFO"));
        Assert.That(await control.GetInfoAsync("fast", token), Is.EqualTo("right"));
    }

    [Test, CancelAfter(30_000)]
    public async Task The_end_of_the_connection_fails_every_waiting_command_and_completes_subscriptions(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command => command.StartsWith("GETINFO", StringComparison.Ordinal) ? "" : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token);
        var subscription = control.Subscribe();
        var waiting = Enumerable.Range(0, 3).Select(_ => control.GetInfoAsync("x", token)).ToArray();
        while (fake.Commands.Count < 5)
            await Task.Yield();

        fake.CloseConnections();

        foreach (var one in waiting)
            Assert.That(() => one, Throws.InstanceOf<ControlConnectionException>().With.Message.Contains("has ended"));
        await control.Closed.WaitAsync(token);
        await subscription.Events.Completion.WaitAsync(token);
        Assert.That(control.EndReason, Is.Not.Null);
        Assert.That(() => control.GetInfoAsync("x", token), Throws.InstanceOf<ControlConnectionException>());
        Assert.That(control.Subscribe().Events.Completion.IsCompleted, "subscribing after the end ends at once");
    }

    [TestCase("hello\r\n")]
    [TestCase("250 nobody asked\r\n")]
    [CancelAfter(30_000)]
    public async Task Nonsense_from_tor_ends_the_connection_with_a_reason(string nonsense, CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        await using var control = await ConnectAsync(fake, token);

        await fake.PushAsync(nonsense);

        await control.Closed.WaitAsync(token);
        Assert.That(control.EndReason, Is.InstanceOf<ControlProtocolException>());
    }

    [Test, CancelAfter(30_000)]
    public async Task A_reply_past_the_cap_ends_the_connection(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command =>
            command.StartsWith("GETINFO", StringComparison.Ordinal)
                ? "250-x=" + new string('x', 5000) + "\r\n250 OK\r\n"
                : FakeControlPort.DefaultScript(command);
        await using var control = await ConnectAsync(fake, token, Patient with { MaxReplyBytes = 4096 });

        Assert.That(() => control.GetInfoAsync("x", token), Throws.InstanceOf<ControlConnectionException>().With.Message.Contains("4096"));
    }

    [Test, CancelAfter(30_000)]
    public async Task Disposing_fails_waiting_commands(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = command => command.StartsWith("GETINFO", StringComparison.Ordinal) ? "" : FakeControlPort.DefaultScript(command);
        var control = await ConnectAsync(fake, token);
        var waiting = control.GetInfoAsync("x", token);

        await control.DisposeAsync();
        await control.DisposeAsync();

        Assert.That(() => waiting, Throws.InstanceOf<ControlConnectionException>());
        Assert.That(control.Closed.IsCompletedSuccessfully);
    }

    [Test, CancelAfter(30_000)]
    public async Task A_slow_consumer_loses_events_and_is_told_while_others_and_commands_go_on(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        await using var control = await ConnectAsync(fake, token);
        using var slow = control.Subscribe(capacity: 3);
        using var other = control.Subscribe(capacity: 100);

        await fake.PushAsync(string.Concat(Enumerable.Range(0, 10).Select(i => $"650 CIRC {i} LAUNCHED\r\n")));
        await control.SignalAsync("ACTIVE", token);
        var got = await TakeAsync(slow, 3, token);
        await fake.PushAsync("650 CIRC 10 LAUNCHED\r\n");
        await control.SignalAsync("ACTIVE", token);
        got.AddRange(await TakeAsync(slow, 2, token));

        Assert.That(
            got.Select(one => one is EventsLostEvent lost ? $"lost {lost.Count}" : ((CircuitEvent)one).Circuit.Id),
            Is.EqualTo(new[] { "0", "1", "2", "lost 7", "10" }));
        Assert.That(
            (await TakeAsync(other, 11, token)).Cast<CircuitEvent>().Select(one => one.Circuit.Id),
            Is.EqualTo(Enumerable.Range(0, 11).Select(i => $"{i}")));
    }

    [Test, CancelAfter(30_000)]
    public async Task A_disposed_subscription_gets_nothing_more(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        await using var control = await ConnectAsync(fake, token);
        var subscription = control.Subscribe();
        subscription.Dispose();

        await fake.PushAsync("650 CIRC 1 LAUNCHED\r\n");
        await control.SignalAsync("ACTIVE", token);

        Assert.That(subscription.Events.TryRead(out _), Is.False);
        Assert.That(subscription.Events.Completion.IsCompleted);
    }

    [Test, CancelAfter(30_000)]
    public async Task A_wrong_server_hash_is_refused_and_the_cookie_is_not_told(CancellationToken token)
    {
        using var cookie = new TempCookie();
        await using var fake = new FakeControlPort();
        fake.Script = Offer(
            "COOKIE,SAFECOOKIE", cookie.Path,
            "250 AUTHCHALLENGE SERVERHASH=" + new string('0', 64) + " SERVERNONCE=" + new string('1', 64) + "\r\n");

        Assert.That(
            () => ConnectAsync(fake, token), Throws.InstanceOf<ControlAuthenticationException>().With.Message.Contains("SERVERHASH"));
        Assert.That(fake.Commands, Has.None.StartsWith("AUTHENTICATE"));
    }

    [Test, CancelAfter(30_000)]
    public async Task SAFECOOKIE_computes_what_the_specification_says(CancellationToken token)
    {
        using var cookie = new TempCookie();
        await using var fake = new FakeControlPort();
        byte[] serverNonce = RandomNumberGenerator.GetBytes(32);
        byte[] message = [];
        var offer = Offer("COOKIE,SAFECOOKIE,FUTURE", cookie.Path, "");
        fake.Script = command =>
        {
            if (!command.StartsWith("AUTHCHALLENGE SAFECOOKIE ", StringComparison.Ordinal))
                return offer(command);
            message = [.. cookie.Bytes, .. Convert.FromHexString(command[25..]), .. serverNonce];
            byte[] hash = HMACSHA256.HashData(Encoding.ASCII.GetBytes("Tor safe cookie authentication server-to-controller hash"), message);
            return $"250 AUTHCHALLENGE SERVERHASH={Convert.ToHexString(hash)} SERVERNONCE={Convert.ToHexString(serverNonce)}\r\n";
        };

        await using var control = await ConnectAsync(fake, token);

        byte[] expected = HMACSHA256.HashData(Encoding.ASCII.GetBytes("Tor safe cookie authentication controller-to-server hash"), message);
        Assert.That(fake.Commands.Last(), Is.EqualTo("AUTHENTICATE " + Convert.ToHexString(expected)));
    }

    [Test, CancelAfter(30_000)]
    public async Task COOKIE_is_used_of_a_tor_that_knows_nothing_better(CancellationToken token)
    {
        using var cookie = new TempCookie();
        await using var fake = new FakeControlPort();
        fake.Script = Offer("COOKIE", cookie.Path, "");

        await using var control = await ConnectAsync(fake, token);

        Assert.That(fake.Commands.Last(), Is.EqualTo("AUTHENTICATE " + Convert.ToHexString(cookie.Bytes)));
    }

    [Test, CancelAfter(30_000)]
    public async Task A_file_that_is_no_cookie_is_never_sent(CancellationToken token)
    {
        using var cookie = new TempCookie(length: 33);
        await using var fake = new FakeControlPort();
        fake.Script = Offer("COOKIE", cookie.Path, "");

        Assert.That(
            () => ConnectAsync(fake, token), Throws.InstanceOf<ControlAuthenticationException>().With.Message.Contains("is no cookie"));
        Assert.That(fake.Commands, Has.None.StartsWith("AUTHENTICATE"));
    }

    [Test, CancelAfter(30_000)]
    public async Task An_authentication_that_cannot_work_names_everything_that_was_tried(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = Offer("HASHEDPASSWORD,COOKIE,SAFECOOKIE", "/nowhere/cookie", "");

        Assert.That(() => ConnectAsync(fake, token), Throws.InstanceOf<ControlAuthenticationException>().With.Message
            .Contains("HASHEDPASSWORD: no ControlPassword").And.Message.Contains("SAFECOOKIE: ").And.Message.Contains("/nowhere/cookie"));
    }

    [Test, CancelAfter(30_000)]
    public async Task A_control_port_that_never_answers_is_a_bounded_wait(CancellationToken token)
    {
        await using var fake = new FakeControlPort();
        fake.Script = _ => "";

        Assert.That(() => ConnectAsync(fake, token, Patient with { ConnectTimeout = TimeSpan.FromMilliseconds(200) }),
            Throws.InstanceOf<ControlConnectionException>().With.Message.Contains("did not let us in"));
    }

    [Test, CancelAfter(30_000)]
    public void A_refused_connection_is_named(CancellationToken token)
    {
        var nobody = new System.Net.Sockets.UnixDomainSocketEndPoint("/tmp/no-such-socket");
        Assert.That(
            () => ControlConnection.ConnectAsync(nobody, ControlCredentials.None, Patient, NullLogger.Instance, TimeProvider.System, token),
            Throws.InstanceOf<ControlConnectionException>().With.Message.Contains("/tmp/no-such-socket"));
    }

    [Test, CancelAfter(30_000)]
    public void A_name_instead_of_an_address_is_refused(CancellationToken token)
        => Assert.That(
            () =>
                ControlConnection.ConnectAsync(
                    new DnsEndPoint("localhost", 9051), ControlCredentials.None, Patient, NullLogger.Instance, TimeProvider.System, token),
            Throws.ArgumentException);

    private static Func<string, string?> Offer(string methods, string cookiePath, string challenge) => command
        => command == "PROTOCOLINFO 1" ? $"250-PROTOCOLINFO 1\r\n250-AUTH METHODS={methods} "
            + $"COOKIEFILE={ControlString.Quote(cookiePath)}\r\n250 OK\r\n"
            : command.StartsWith("AUTHCHALLENGE", StringComparison.Ordinal) ? challenge
            : "250 OK\r\n";

    private static Task<ControlConnection> ConnectAsync(
        FakeControlPort fake, CancellationToken token, ControlConnectionOptions? options = null)
        => ControlConnection.ConnectAsync(
            fake.EndPoint, ControlCredentials.None, options ?? Patient, NullLogger.Instance, TimeProvider.System, token);

    private static async Task<List<ControlEvent>> TakeAsync(ControlSubscription subscription, int count, CancellationToken token)
    {
        var taken = new List<ControlEvent>();
        while (taken.Count < count)
            taken.Add(await subscription.Events.ReadAsync(token));
        return taken;
    }

    private sealed class TempCookie : IDisposable
    {
        public TempCookie(int length = 32)
        {
            Bytes = RandomNumberGenerator.GetBytes(length);
            Path = System.IO.Path.GetTempFileName();
            File.WriteAllBytes(Path, Bytes);
        }

        public string Path { get; }

        public byte[] Bytes { get; }

        public void Dispose() => File.Delete(Path);
    }
}
