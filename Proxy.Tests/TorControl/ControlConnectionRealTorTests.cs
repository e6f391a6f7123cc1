using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.TorControl;

/// <summary>What a real tor says is the last word on the protocol. None of these ever opens a connection: DisableNetwork 1.</summary>
public sealed class ControlConnectionRealTorTests
{
    [Test, CancelAfter(60_000)]
    public async Task SAFECOOKIE_with_the_path_that_tor_names(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        await using var control = await tor.ConnectAsync(token);

        Assert.That(control.Info.Methods, Is.EquivalentTo(new[] { "COOKIE", "SAFECOOKIE" }));
        Assert.That(control.Info.CookieFile, Is.EqualTo($"{tor.Directory}/data/control_auth_cookie"));
        Assert.That(await control.GetInfoAsync("version", token), Does.StartWith(control.Info.TorVersion));
    }

    [Test, CancelAfter(60_000)]
    public async Task COOKIE_is_what_tor_takes_in_hex(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        byte[] cookie = await File.ReadAllBytesAsync($"{tor.Directory}/data/control_auth_cookie", token);

        // This tor offers SAFECOOKIE too; a relay in between hides that, so that the plain method is what it sees.
        await using var relay = new StrippingRelay(tor.Control, "COOKIE,SAFECOOKIE", "COOKIE");
        await using var control = await ControlConnection.ConnectAsync(
            relay.EndPoint, ControlCredentials.None, ControlConnectionOptions.Default, NullLogger.Instance, TimeProvider.System, token);

        Assert.That(relay.Sent, Does.Contain("AUTHENTICATE " + Convert.ToHexString(cookie)));
        Assert.That(await control.GetInfoAsync("process/pid", token), Is.EqualTo(tor.Process.ProcessId.ToString()));
    }

    [Test, CancelAfter(60_000)]
    public async Task Nothing_asked_nothing_given(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token);
        await using var control = await tor.ConnectAsync(token, new ControlCredentials(Password: "not needed"));
        Assert.That(control.Info.Methods, Is.EqualTo(new[] { "NULL" }));
    }

    [TestCase("simple")]
    [TestCase("o\"d\\d pass wörd €")]
    [CancelAfter(60_000)]
    public async Task HASHEDPASSWORD(string password, CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "HashedControlPassword " + await HashAsync(password, token));
        await using var control = await tor.ConnectAsync(token, new ControlCredentials(Password: password));
        Assert.That(control.Info.Methods, Is.EqualTo(new[] { "HASHEDPASSWORD" }));
        Assert.That(() => tor.ConnectAsync(token, new ControlCredentials(Password: password + "x")),
            Throws.InstanceOf<ControlAuthenticationException>().With.Message.Contains("515").And.Message.Contains("tried: HASHEDPASSWORD"));
        Assert.That(
            () => tor.ConnectAsync(token), Throws.InstanceOf<ControlAuthenticationException>().With.Message.Contains("no ControlPassword"));
    }

    [Test, CancelAfter(60_000)]
    public async Task A_wrong_cookie_is_told_as_such(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        string other = Path.Combine(tor.Directory, "other");
        await File.WriteAllBytesAsync(other, new byte[32], token);
        Assert.That(
            () => tor.ConnectAsync(token, new ControlCredentials(CookiePath: other)),
            Throws.InstanceOf<ControlAuthenticationException>().With.Message.Contains("SERVERHASH"));
    }

    [Test, CancelAfter(60_000)]
    public async Task GETINFO_of_one_line_several_lines_and_none(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1", "ContactInfo \"a b\"");
        await using var control = await tor.ConnectAsync(token);

        var values = await control.GetInfoAsync(["process/pid", "config-text", "circuit-status", "events/names"], token);

        Assert.That(values[0], Is.EqualTo(tor.Process.ProcessId.ToString()));
        Assert.That(values[1].Split('\n'), Does.Contain("DisableNetwork 1").And.Contain($"ControlSocket {tor.Directory}/control"));
        Assert.That(values[2], Is.Empty);
        Assert.That(
            values[3].Split(' '),
            Is.SupersetOf(
                new[]
                {
                    "CIRC",
                    "CIRC_MINOR",
                    "STREAM",
                    "ORCONN",
                    "GUARD",
                    "NETWORK_LIVENESS",
                    "STATUS_CLIENT",
                    "BUILDTIMEOUT_SET",
                    "CONF_CHANGED",
                    "HS_DESC",
                }));
        Assert.That(await control.GetInfoLinesAsync("config/names", token), Has.Count.GreaterThan(200));
        Assert.That(await control.GetBootstrapAsync(token), Is.EqualTo(new BootstrapStatus(0, "starting", "Starting")));
        Assert.That(
            () => control.GetInfoAsync("no/such/key", token),
            Throws.InstanceOf<ControlReplyException>().With.Property("Code").EqualTo(552));
    }

    [TestCase("plain")]
    [TestCase("two words # no comment")]
    [TestCase("quote \" backslash \\ both \\\" end")]
    [TestCase("\\n is not a line end, \\101 is no A")]
    [TestCase("grüße €😀")]
    [TestCase("tab\tand = sign")]
    [TestCase("  spaces around  ")]
    public Task SETCONF_and_GETCONF_round_trip(string value) => RoundTripAsync(value);

    [Test, CancelAfter(60_000)]
    public async Task SETCONF_is_all_or_nothing_and_is_told_as_an_event(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        await using var control = await tor.ConnectAsync(token);
        using var subscription = control.Subscribe();
        await control.SetEventsAsync(["CONF_CHANGED", "SIGNAL", "STATUS_CLIENT", "CIRC", "STREAM"], token);

        Assert.That(
            () => control.SetConfAsync([new("MaxCircuitDirtiness", "700"), new("NoSuchOption", "1")], token),
            Throws.InstanceOf<ControlReplyException>());
        Assert.That(
            await control.GetConfAsync(["MaxCircuitDirtiness"], token),
            Is.EqualTo(new[] { new KeyValuePair<string, string?>("MaxCircuitDirtiness", "600") }));

        await control.SetConfAsync([new("MaxCircuitDirtiness", "700"), new("ExcludeExitNodes", "$" + new string('A', 40))], token);
        var changed = (ConfChangedEvent)await subscription.Events.ReadAsync(token);
        Assert.That(
            changed.Changes,
            Is.EquivalentTo(new KeyValuePair<string, string?>[]
            {
                new("MaxCircuitDirtiness", "700"),
                new("ExcludeExitNodes", "$" + new string('A', 40)),
            }));

        await control.ResetConfAsync([new("MaxCircuitDirtiness", null), new("ExcludeExitNodes", null)], token);
        changed = (ConfChangedEvent)await subscription.Events.ReadAsync(token);
        Assert.That(changed.Changes.Select(one => one.Key), Is.EquivalentTo(new[] { "MaxCircuitDirtiness", "ExcludeExitNodes" }));
        Assert.That(await control.GetConfAsync(["MaxCircuitDirtiness", "ExcludeExitNodes"], token),
            Is.EqualTo(new KeyValuePair<string, string?>[] { new("MaxCircuitDirtiness", "600"), new("ExcludeExitNodes", "") }));

        await control.SignalAsync("ACTIVE", token);
        Assert.That(((GenericEvent)await subscription.Events.ReadAsync(token)).Text, Is.EqualTo("ACTIVE"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Unknown_circuits_and_events_are_told(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        await using var control = await tor.ConnectAsync(token);

        Assert.That(await control.CloseCircuitAsync("4711", onlyIfUnused: false, token), Is.False);
        Assert.That(
            () => control.SetEventsAsync(["CIRC", "NO_SUCH_EVENT"], token),
            Throws.InstanceOf<ControlReplyException>().With.Property("Code").EqualTo(552));
    }

    [Test, CancelAfter(60_000)]
    public async Task TAKEOWNERSHIP_ends_tor_with_the_connection(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        await using var other = await tor.ConnectAsync(token);
        var control = await tor.ConnectAsync(token);
        await control.TakeOwnershipAsync(token);
        Assert.That(tor.Process.Exited.IsCompleted, Is.False);

        await control.DisposeAsync();

        Assert.That(await tor.Process.Exited.WaitAsync(token), Is.Zero);
        await other.Closed.WaitAsync(token);
    }

    [Test, CancelAfter(60_000)]
    public async Task SIGNAL_SHUTDOWN_ends_a_client_at_once(CancellationToken token)
    {
        await using var tor = await RealTor.StartAsync(token, "CookieAuthentication 1");
        await using var control = await tor.ConnectAsync(token);

        await control.SignalAsync("SHUTDOWN", token);

        Assert.That(await tor.Process.Exited.WaitAsync(token), Is.Zero);
        await control.Closed.WaitAsync(token);
    }

    private static async Task RoundTripAsync(string value)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var tor = await RealTor.StartAsync(bound.Token, "CookieAuthentication 1");
        await using var control = await tor.ConnectAsync(bound.Token);

        await control.SetConfAsync([new("ContactInfo", value)], bound.Token);

        Assert.That(
            await control.GetConfAsync(["ContactInfo"], bound.Token),
            Is.EqualTo(new[] { new KeyValuePair<string, string?>("ContactInfo", value) }));
    }

    private static async Task<string> HashAsync(string password, CancellationToken token)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(RealTor.Executable, ["--quiet", "--hash-password", password])
            {
                RedirectStandardOutput = true,
            },
        };
        process.Start();
        string output = await process.StandardOutput.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        return output.Trim();
    }

    /// <summary>Passes commands on to a tor and replaces a text in its answers.</summary>
    private sealed class StrippingRelay : IAsyncDisposable
    {
        private readonly FakeControlPort _front = new();
        private readonly System.Net.Sockets.Socket _back;
        private readonly StreamReader _answers;

        public StrippingRelay(EndPoint tor, string from, string to)
        {
            _back = new(
                System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
            _back.Connect(tor);
            _answers = new StreamReader(new System.Net.Sockets.NetworkStream(_back, ownsSocket: true));
            _front.Script = command =>
            {
                _back.Send(System.Text.Encoding.ASCII.GetBytes(command + "\r\n"));
                string reply = "";
                while (true)
                {
                    string line = _answers.ReadLine()!;
                    reply += line.Replace(from, to) + "\r\n";
                    if (line[3] == ' ')
                        return reply;
                }
            };
        }

        public EndPoint EndPoint => _front.EndPoint;

        public IEnumerable<string> Sent => _front.Commands;

        public async ValueTask DisposeAsync()
        {
            await _front.DisposeAsync();
            _answers.Dispose();
        }
    }
}
