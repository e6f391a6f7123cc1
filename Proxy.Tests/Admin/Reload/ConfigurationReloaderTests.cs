using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Admin.Reload;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Admin.Reload;

/// <summary>What a reload does to a proxy that runs.</summary>
[CancelAfter(60_000)]
public sealed class ConfigurationReloaderTests
{
    private const string Rule = "[Health]\nEnabled = no\n[Log]\nTargets = yes\n";

    private const string Main = Rule + "[Listener:main]\nAddress = 127.0.0.1:0\n";

    private FakeTorWorker _first = null!, _second = null!;

    [SetUp]
    public void StartWorkers() => (_first, _second) = (new FakeTorWorker(), new FakeTorWorker());

    [TearDown]
    public async Task StopWorkersAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Test]
    public async Task Nothing_changes_when_nothing_is_changed(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var (listeners, worker) = (proxy.Server.Addresses, proxy.Pool.Find("a"));
        var outcome = await proxy.ReloadAsync(Main + "; a comment\n" + ReloadableProxy.Worker("a", _first));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.IsDone, Is.True);
            Assert.That(outcome.Changed, Is.Empty);
            Assert.That(outcome.RestartNeeded, Is.Empty);
            Assert.That(proxy.Server.Addresses, Is.EqualTo(listeners));
            Assert.That(proxy.Pool.Find("a"), Is.SameAs(worker));
        });
        await CarriesAsync(proxy, token);
    }

    [Test]
    public async Task Mode_and_rules_are_in_force_for_the_next_connection(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(
            "[Balancing]\nMode = failover\n" + Main + ReloadableProxy.Worker("a", _first) + ReloadableProxy.Worker("b", _second));
        for (int i = 0; i < 4; i++)
            await CarriesAsync(proxy, token);
        Assert.That(_second.Requests, Is.Empty);
        var outcome = await proxy.ReloadAsync(
            "[Balancing]\nMode = round_robin\n[Rule:no]\nDomain = b.example\nRoute = reject\n" + Main + ReloadableProxy.Worker("a", _first)
                + ReloadableProxy.Worker("b", _second));
        Assert.That(
            Lines(outcome.Changed),
            Is.EqualTo(
                "[Balancing] Mode: failover -> round_robin|[Rule:no] Domain: (none) -> b.example|[Rule:no] Route: (none) -> reject"));
        for (int i = 0; i < 4; i++)
            await CarriesAsync(proxy, token);
        Assert.That(_second.Requests, Has.Count.EqualTo(2));
        var (stream, code) = await proxy.OpenAsync(token, "b.example");
        await stream.DisposeAsync();
        Assert.That(code, Is.EqualTo(2), "not allowed by the rules");
    }

    [Test]
    public async Task A_worker_that_goes_finishes_what_it_carries(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var (live, code) = await proxy.OpenAsync(token);
        Assert.That(code, Is.Zero);
        var old = proxy.Pool.Find("a")!;
        await proxy.ReloadAsync(Main + ReloadableProxy.Worker("b", _second));
        Assert.That(old.Administrative, Is.EqualTo(WorkerAdministrativeState.Leaving));
        Assert.That(proxy.Pool.Snapshot.All.Select(static one => one.Id), Is.EqualTo(new[] { "b", "a" }));
        int before = _first.Requests.Count;
        for (int i = 0; i < 5; i++)
            await CarriesAsync(proxy, token);
        Assert.That(_first.Requests, Has.Count.EqualTo(before));
        Assert.That(_second.Requests, Has.Count.EqualTo(5));
        await EchoAsync(live, token);

        // It comes back as the one that it was, and goes again.
        await proxy.ReloadAsync(Main + ReloadableProxy.Worker("b", _second) + ReloadableProxy.Worker("a", _first));
        Assert.That(proxy.Pool.Find("a"), Is.SameAs(old));
        Assert.That(old.IsEligible, Is.True);
        await proxy.ReloadAsync(Main + ReloadableProxy.Worker("b", _second));
        await EchoAsync(live, token);
        await live.DisposeAsync();
        while (proxy.Pool.Find("a") is not null)
            await Task.Delay(10, token);
        string address = _first.EndPoint.ToString()!, other = _second.EndPoint.ToString()!;
        Assert.That(
            proxy.Log.Entries.Select(static entry => entry.Message)
                .Where(static line => line.StartsWith("Worker ", StringComparison.Ordinal)),
            Is.EqualTo(new[]
            {
                $"Worker b was added, at {other}", "Worker a leaves: no new connections; 1 live ones finish",
                $"Worker a was added, at {address}", "Worker a leaves: no new connections; 1 live ones finish",
                "Worker a is gone: it has no connection left",
            }),
            "each once, in order");
    }

    [Test]
    public async Task A_worker_that_carries_nothing_is_gone_at_once_and_told_to_be(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(
            Main + ReloadableProxy.Worker("a", _first) + ReloadableProxy.Worker("b", _second));

        await proxy.ReloadAsync(Main + ReloadableProxy.Worker("b", _second));

        Assert.That(proxy.Pool.Find("a"), Is.Null);
        Assert.That(
            proxy.Log.Entries.Single(static entry => entry.Event.Id == ReloadEventIds.WorkerGone).Message,
            Is.EqualTo("Worker a is gone: it has no connection left"));
        await CarriesAsync(proxy, token);
    }

    [Test]
    public async Task A_worker_that_moves_keeps_its_counters_and_connections(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var (live, _) = await proxy.OpenAsync(token);
        await using var held = live;
        await proxy.ReloadAsync(Main + ReloadableProxy.Worker("a", _second, "Weight = 7\n"));
        var worker = proxy.Pool.Find("a")!;
        Assert.That((worker.Model.Weight, worker.TotalConnections, worker.Active), Is.EqualTo((7, 1, 1)));
        await CarriesAsync(proxy, token);
        Assert.That(_second.Requests, Has.Count.EqualTo(1));
        await EchoAsync(live, token);
    }

    [Test]
    public async Task Listeners_come_change_and_go_and_their_connections_live(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var address = proxy.Server.Addresses[0].Address;
        var (live, _) = await proxy.OpenAsync(token);
        await using var held = live;

        // The same socket, other rules; and another listener.
        await proxy.ReloadAsync(
            Rule + "[Listener:main]\nAddress = 127.0.0.1:0\nProtocols = http\n[Listener:more]\nAddress = 127.0.0.1:0\nMode = random\n"
                + ReloadableProxy.Worker("a", _first));
        Assert.That(proxy.Server.Addresses.Single(static one => one.Name == "main").Address, Is.EqualTo(address));
        var (more, code) = await proxy.OpenAsync(token, listener: "more");
        await more.DisposeAsync();
        Assert.That(code, Is.Zero);
        await using (var refused = await proxy.ConnectAsync())
        {
            await refused.WriteAsync(new byte[] { 5, 1, 0 }, token);
            Assert.That(await EndsAsync(refused, token), Is.True);
        }

        // And it goes.
        await proxy.ReloadAsync(Rule + "[Listener:more]\nAddress = 127.0.0.1:0\nMode = random\n" + ReloadableProxy.Worker("a", _first));
        Assert.That(proxy.Server.Addresses.Select(static one => one.Name), Is.EqualTo(new[] { "more" }));
        using var nobody = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.That(async () => await nobody.ConnectAsync(address, token), Throws.InstanceOf<SocketException>());
        await EchoAsync(live, token);
    }

    [Test]
    public async Task A_listener_may_take_the_port_of_one_that_goes(CancellationToken token)
    {
        int port = FreePort.Find(IPAddress.Any);
        await using var proxy = await ReloadableProxy.StartAsync(
            Rule + $"[Listener:main]\nAddress = 127.0.0.1:{port}\n" + ReloadableProxy.Worker("a", _first));
        var (live, _) = await proxy.OpenAsync(token);
        await using var held = live;
        var outcome = await proxy.ReloadAsync(
            Rule + $"[Listener:all]\nAddress = 0.0.0.0:{port}\nAllowFrom = 127.0.0.0/8\n" + ReloadableProxy.Worker("a", _first));
        Assert.That(outcome.Errors, Is.Empty);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Parse("127.0.0.3"), port), token);
        await EchoAsync(live, token);
    }

    [TestCase("[Balancing]\nMode = randon", "Balancing", "Mode", "randon")]
    [TestCase("[Balancing]\nMod = random", "Balancing", "Mod", null)]
    [TestCase("[Balance]\nMode = random", "Balance", null, null)]
    [TestCase("[Connect]\nTimeout = 5\nAttempts = many", "Connect", "Timeout", "5")]
    [TestCase("[Connect]\nAttempts = 2\nAttempts = 3", null, null, null)]
    [TestCase("[Connect]\nTimeout = 10s\nAttemptTimeout = 20s", "Connect", "AttemptTimeout", "20s")]
    [TestCase("Attempts = 2", "Worker:a", "Attempts", null, Description = "below another section")]
    [TestCase("[Worker:a]\nAddress = 127.0.0.1", null, null, null, Description = "a section twice")]
    [TestCase("[Worker:z]\nAddress = proxy.example", "Worker:z", "Address", "proxy.example")]
    [TestCase("[Listener:lan]\nAddress = 0.0.0.0:1", "Listener:lan", "Address", "0.0.0.0:1", Description = "open to everybody")]
    [TestCase("[Rule:r]\nDomain = a.example", "Rule:r", "Route", null, Description = "no route")]
    [TestCase("[Listener:l]\nAddress = 127.0.0.1:0\nAuth = required", "Listener:l", "Auth", "required", Description = "no users")]
    public async Task A_mistake_leaves_everything_as_it_was(
        string mistake, string? section, string? key, string? found, CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var before = proxy.Running.Current;
        var options = proxy.Live.All.Value;

        // A change that would be in force by itself stands beside it: all or nothing.
        var outcome = await proxy.ReloadAsync(Main + "[Tunnel]\nIdleTimeout = 1h\n" + ReloadableProxy.Worker("a", _first) + mistake + "\n");
        Assert.Multiple(() =>
        {
            Assert.That(outcome.IsDone, Is.False);
            Assert.That(outcome.Changed, Is.Empty);
            Assert.That(outcome.Errors, Is.Not.Empty);
            Assert.That(outcome.Errors[0].Origin.Name, Is.EqualTo(proxy.File));
            Assert.That(outcome.Errors[0].Origin.Line, Is.GreaterThan(5));
            Assert.That(proxy.Running.Current, Is.SameAs(before));
            Assert.That(proxy.Live.All.Value, Is.SameAs(options));
            Assert.That(proxy.Live.Tunnel.Value.IdleTimeout, Is.EqualTo(TimeSpan.Zero));
            var about = outcome.Errors[0].Subject;
            Assert.That((about.Section, about.Key, about.Found), Is.EqualTo((section, key, found)));
            Assert.That(
                proxy.Log.Entries.Select(static entry => entry.Message), Does.Contain(outcome.Errors[0].ToString()),
                "the log says why");
        });
        await CarriesAsync(proxy, token);

        // And what is right again is in force.
        Assert.That(
            Lines((await proxy.ReloadAsync(Main + "[Tunnel]\nIdleTimeout = 1h\n" + ReloadableProxy.Worker("a", _first))).Changed),
            Is.EqualTo("[Tunnel] IdleTimeout: off -> 1h"));
    }

    [Test]
    public async Task A_file_that_is_gone_leaves_everything_as_it_was(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        File.Delete(proxy.File);
        var outcome = await proxy.Get<ConfigurationReloader>().ReloadAsync("the test");
        Assert.That(outcome.Errors.Single().ToString(), Is.EqualTo($"{proxy.File}: the configuration file does not exist"));
        await CarriesAsync(proxy, token);
    }

    [Test]
    public async Task An_address_that_is_taken_leaves_everything_as_it_was(CancellationToken token)
    {
        int port = FreePort.Find(IPAddress.Any);
        await using var proxy = await ReloadableProxy.StartAsync(
            Rule + $"[Listener:main]\nAddress = 127.0.0.1:{port}\n" + ReloadableProxy.Worker("a", _first));
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), port));
        other.Listen();

        // The old one has to be closed before it shows; it is opened again.
        var outcome = await proxy.ReloadAsync(
            Rule + $"[Listener:all]\nAddress = 0.0.0.0:{port}\nAllowFrom = 127.0.0.0/8\n[Listener:new]\nAddress = 127.0.0.1:0\n"
                + ReloadableProxy.Worker("a", _first));
        Assert.That(
            outcome.Errors.Select(static one => one.ToString()),
            Has.One.StartsWith($"{proxy.File}:6: [Listener:all] cannot listen on 0.0.0.0:{port}: "));
        Assert.That(proxy.Server.Addresses.Select(static one => one.Name), Is.EqualTo(new[] { "main" }));
        await CarriesAsync(proxy, token);
    }

    [Test]
    public async Task What_needs_a_restart_is_named_and_left_until_then()
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        for (int i = 0; i < 2; i++)
        {
            var outcome = await proxy.ReloadAsync(
                Main + "[Tunnel]\nKeepAlive = 30s\n[Engine]\nLoops = 2\n" + ReloadableProxy.Worker("a", _first));
            Assert.That(
                Lines(outcome.RestartNeeded), Is.EqualTo("[Tunnel] KeepAlive: 60s -> 30s|[Engine] Loops: auto -> 2"), $"reload {i}");
            Assert.That(outcome.Changed, Is.Empty);
            Assert.That(proxy.Running.Current.Given.Find("Engine", "Loops"), Is.Null, "it is as it was");
            var shown = proxy.Running.Current.Effective.Single(static one => one.Name == "Engine");
            Assert.That(shown.Values.Single(static one => one.Key == "Loops").Text, Is.EqualTo("auto"), "and said to be");
        }

        Assert.That((await proxy.ReloadAsync(Main + ReloadableProxy.Worker("a", _first))).RestartNeeded, Is.Empty);
    }

    [Test]
    public async Task Configured_workers_are_not_all_taken_away(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var outcome = await proxy.ReloadAsync(Main);
        Assert.That(outcome.Errors, Is.Empty);
        Assert.That(Lines(outcome.RestartNeeded), Does.Contain("[Worker:a] Address: 127.0.0.1 -> (none)"));
        await CarriesAsync(proxy, token);
    }

    [Test]
    public async Task Listeners_are_in_the_order_of_the_file_and_counted_by_their_names(CancellationToken token)
    {
        const string Other = "[Listener:other]\nAddress = 127.0.0.1:0\n";
        int port = FreePort.Find(IPAddress.Any);
        string fixedOne = $"Address = 127.0.0.1:{port}\n";
        await using var proxy = await ReloadableProxy.StartAsync(
            Main + "[Listener:old]\n" + fixedOne + ReloadableProxy.Worker("a", _first));
        await proxy.ReloadAsync(Rule + Other + "[Listener:new]\n" + fixedOne + Main[Rule.Length..] + ReloadableProxy.Worker("a", _first));
        Assert.That(proxy.Server.Addresses.Select(static one => one.Name), Is.EqualTo(new[] { "other", "new", "main" }));
        var (stream, code) = await proxy.OpenAsync(token, listener: "new");
        await stream.DisposeAsync();
        Assert.That(code, Is.Zero);
        var accepted = proxy.Get<ConnectionServices>().Counters.All.ToDictionary(static one => one.Key, static one => one.Value.Accepted);
        Assert.That((accepted["old"], accepted["new"]), Is.EqualTo((0, 1)));
    }

    [Test]
    public async Task A_stop_while_listeners_change_closes_the_new_ones_too(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        var options = new ListenerOptions { Name = "more", Address = new IPEndPoint(IPAddress.Loopback, 0) };
        var change = await proxy.Server.PrepareAsync([.. proxy.Server.Listeners, new ListenerModel(options, IsolationMode.None)]);
        var address = change.Bound.Single().LocalEndPoint;
        await proxy.Server.StopAsync(TimeSpan.Zero, token);
        await proxy.Server.ApplyAsync(change);
        using var nobody = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.That(async () => await nobody.ConnectAsync(address, token), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public async Task Environment_wins_over_the_file_as_at_the_start()
    {
        await using var proxy = await ReloadableProxy.StartAsync(
            Main + ReloadableProxy.Worker("a", _first), new Dictionary<string, string> { ["TORBALANCER_Balancing__Mode"] = "random" });
        var outcome = await proxy.ReloadAsync("[Balancing]\nMode = failover\nPassOver = 3s\n" + Main + ReloadableProxy.Worker("a", _first));
        Assert.That(Lines(outcome.Changed), Is.EqualTo("[Balancing] PassOver: 2s -> 3s"));
        Assert.That(proxy.Live.Balancing.Value.Mode, Is.EqualTo("random"));
    }

    [Test]
    public async Task Reloads_at_the_same_time_follow_each_other(CancellationToken token)
    {
        await using var proxy = await ReloadableProxy.StartAsync(Main + ReloadableProxy.Worker("a", _first));
        await File.WriteAllTextAsync(proxy.File, Main + "[Connect]\nAttempts = 5\n" + ReloadableProxy.Worker("a", _first), token);
        var reloader = proxy.Get<ConfigurationReloader>();
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => reloader.ReloadAsync("the test")));
        Assert.That(outcomes.Count(static one => one.Changed.Count == 1), Is.EqualTo(1));
        Assert.That(outcomes.Count(static one => one is { IsDone: true, Changed.Count: 0 }), Is.EqualTo(7));
    }

    private static string Lines(IEnumerable<object> changes) => string.Join('|', changes);

    private static async Task CarriesAsync(ReloadableProxy proxy, CancellationToken token)
    {
        var (stream, code) = await proxy.OpenAsync(token);
        await using var open = stream;
        Assert.That(code, Is.Zero);
        await EchoAsync(stream, token);
    }

    private static async Task EchoAsync(Stream stream, CancellationToken token)
    {
        await stream.WriteAsync("still"u8.ToArray(), token);
        byte[] echo = new byte[5];
        await stream.ReadExactlyAsync(echo, token);
        Assert.That(echo, Is.EqualTo("still"u8.ToArray()));
    }

    private static async Task<bool> EndsAsync(Stream stream, CancellationToken token)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], token) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
