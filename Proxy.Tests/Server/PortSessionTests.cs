using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Server;

/// <summary>Listeners whose ports are sessions, for clients that send no user name.</summary>
[CancelAfter(60_000)]
public class PortSessionTests
{
    private const int First = 20000;

    private readonly IPAddress _address = FreePort.OwnAddress();

    [Test]
    public async Task Each_port_is_a_session_and_the_same_one_each_time(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync([worker]);

        string[] tokens = [.. await TokensAsync(proxy, worker, token, First, First + 1, First, First + 2, First + 1)];

        Assert.That(tokens, Has.All.Length.EqualTo(32));
        Assert.That((tokens[2], tokens[4]), Is.EqualTo((tokens[0], tokens[1])));
        Assert.That(tokens.Distinct().Count(), Is.EqualTo(3));
        Assert.That(
            proxy.Get<SessionTable>().List().Select(static one => (one.Name, one.Port, one.Uses)),
            Is.EquivalentTo(new[] { ("port_20000", (int?)20000, 2), ("port_20001", 20001, 2), ("port_20002", 20002, 1) }));
    }

    [Test]
    public async Task Each_port_keeps_its_worker_and_all_workers_have_some(CancellationToken token)
    {
        await using FakeTorWorker one = new(), two = new(), three = new();
        FakeTorWorker[] workers = [one, two, three];
        await using var proxy = await StartAsync(workers, last: First + 29);
        for (int round = 0; round < 2; round++)
        {
            for (int port = First; port < First + 30; port++)
                await ConnectAsync(port, token);
        }

        var byPort = proxy.Get<SessionTable>().List();
        Assert.That(byPort, Has.Count.EqualTo(30));
        string[][] tokens = [.. workers.Select(static worker => worker.Requests.Select(static request => request.Password!).ToArray())];
        Assert.That(tokens.Sum(static own => own.Length), Is.EqualTo(60));
        Assert.That(tokens, Has.All.Not.Empty);

        // A token that two workers had would be a session that moved.
        Assert.That(tokens.SelectMany(static own => own.Distinct()), Is.Unique);
        Assert.That(tokens.SelectMany(static own => own.Distinct()).Count(), Is.EqualTo(30));
    }

    [Test]
    public async Task Mode_of_the_listener_is_the_one_beside_its_sessions(CancellationToken token)
    {
        await using FakeTorWorker one = new(), two = new();
        await using var proxy = await StartAsync([one, two], options => options.Mode = "failover", last: First + 9);
        for (int port = First; port < First + 10; port++)
            await ConnectAsync(port, token);

        Assert.That((one.Requests.Count, two.Requests.Count), Is.EqualTo((10, 0)));
        Assert.That(one.Requests.Select(static request => request.Password), Is.Unique, "and the circuits are their own");
    }

    [Test]
    public async Task Life_time_of_the_listener_ends_the_circuit_of_each_port(CancellationToken token)
    {
        var time = new ManualTimeProvider();
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(
            [worker], static options => options.SessionLifetime = TimeSpan.FromMinutes(10), time: time);
        string before = (await TokensAsync(proxy, worker, token, First)).Single();
        time.Advance(TimeSpan.FromMinutes(11));
        string after = (await TokensAsync(proxy, worker, token, First))[1];

        Assert.That(after, Is.Not.EqualTo(before));
        Assert.That(proxy.Get<SessionTable>().List().Single().ExpiresIn, Is.Not.Null);
    }

    [Test]
    public async Task What_a_user_name_asks_for_goes_before_the_port_and_other_names_are_kept_apart(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync([worker]);
        await ConnectAsync(First, token, "session-abc", "x");
        await ConnectAsync(First + 1, token, "session-abc", "x");
        await ConnectAsync(First, token);
        await ConnectAsync(First, token, "ann", "x");
        await ConnectAsync(First, token, "ben", "x");
        string[] tokens = [.. worker.Requests.Select(static request => request.Password!)];

        Assert.That(tokens[1], Is.EqualTo(tokens[0]), "one session by two ports");
        Assert.That(tokens[1..], Is.Unique);
        Assert.That(
            proxy.Get<SessionTable>().List().Select(static one => one.Name),
            Is.EquivalentTo(["abc", "port_20000", "port_20000", "port_20000"]));
    }

    [Test]
    public async Task Country_of_the_listener_is_its_clients_unless_they_say_another(CancellationToken token)
    {
        await using FakeTorWorker german = new(), french = new();
        await using var proxy = await ProxyUnderTest.StartAsync(
            [
                new WorkerModel("w-de", german.EndPoint, Country: "de"), new WorkerModel("w-fr", french.EndPoint, Country: "fr"),
            ],
            options => Configure(options, First + 9, static listener => listener.Country = "de"));
        for (int port = First; port < First + 10; port++)
            await ConnectAsync(port, token);
        await ConnectAsync(First, token, "country-fr", "x");
        await ConnectAsync(First, token, "worker-w-fr", "x");

        Assert.That((german.Requests.Count, french.Requests.Count), Is.EqualTo((10, 2)));
    }

    [Test]
    public async Task Rotation_is_by_the_name_of_the_port_and_concerns_no_other(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync([worker]);
        await TokensAsync(proxy, worker, token, First, First + 1);

        Assert.That(proxy.Get<SessionTable>().Rotate("port_20000"), Is.EqualTo(1));

        string[] tokens = [.. await TokensAsync(proxy, worker, token, First, First + 1)];
        Assert.That(tokens[2], Is.Not.EqualTo(tokens[0]));
        Assert.That(tokens[3], Is.EqualTo(tokens[1]));
    }

    [Test]
    public async Task Bounds_of_the_listener_are_those_of_all_its_ports_together(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync([worker], static options => options.MaxConnections = 2);
        await using var one = await OpenAsync(First, token);
        await using var two = await OpenAsync(First + 1, token);
        await using var third = await StreamAsync(First + 2, token);
        byte[] reply = await SocksClient.RequestAsync(third, "a.example", 80, token);

        Assert.That(reply[1], Is.Not.Zero, "it is told that there are too many");
        Assert.That(proxy.Server.Listeners, Has.Count.EqualTo(1));
        Assert.That(
            proxy.Log.Entries.Count(static entry => entry.Message.StartsWith("Listener ports is full", StringComparison.Ordinal)),
            Is.EqualTo(1));
        Assert.That(
            proxy.Log.Entries.Where(static entry => entry.Message.StartsWith("Listener ports on", StringComparison.Ordinal))
                .Select(static entry => entry.Message),
            Is.EqualTo(new[] { $"Listener ports on {_address}:20000-20002" }));
    }

    [Test]
    public async Task Range_grows_and_shrinks_while_connections_go_on(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ReloadableProxy.StartAsync(Text(worker, "20000-20002"));
        await using var open = await OpenAsync(First + 2, token);

        var grown = await proxy.ReloadAsync(Text(worker, "20001-20004"));
        Assert.That(grown.Errors, Is.Empty);
        await using (await OpenAsync(First + 4, token))
        {
        }

        await Assert.ThrowsAsync<SocketException>(async () => await StreamAsync(First, token));
        Assert.That((await proxy.ReloadAsync(Text(worker, "20001"))).Errors, Is.Empty);
        await Assert.ThrowsAsync<SocketException>(async () => await StreamAsync(First + 2, token));
        await using (await OpenAsync(First + 1, token))
        {
        }

        // The one that came by a port that is gone.
        await open.WriteAsync("still here"u8.ToArray(), token);
        Assert.That(await SocksClient.ReadAsync(open, 10, token), Is.EqualTo("still here"u8.ToArray()));
        Assert.That(
            proxy.Log.Entries.Select(static entry => entry.Message)
                .Where(static line => line.StartsWith("Listener ", StringComparison.Ordinal)),
            Is.EqualTo(new[]
            {
                $"Listener ports on {_address}:20000-20002", $"Listener ports on {_address}:20003-20004",
                $"Listener ports on {_address}:20000 has closed; its connections go on",
                $"Listener ports on {_address}:20002-20004 has closed; its connections go on",
            }));
    }

    [Test]
    public async Task Port_of_a_range_that_somebody_has_is_named_and_changes_nothing(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ReloadableProxy.StartAsync(Text(worker, "20000-20001"));
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(_address, First + 3));
        other.Listen();

        var outcome = await proxy.ReloadAsync(Text(worker, "20000-20004"));

        Assert.That(string.Join('\n', outcome.Errors), Does.Contain($"[Listener:ports] cannot listen on {_address}:20003"));
        await Assert.ThrowsAsync<SocketException>(async () => await StreamAsync(First + 2, token));
        await using (await OpenAsync(First + 1, token))
        {
        }
    }

    /// <summary>Ports of a range share what is the listener's, until one of them is another listener's.</summary>
    [Test]
    public async Task Port_that_another_listener_gets_has_the_users_and_the_places_of_that_one(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        const string ann = "Auth = required\nUsers = ann:x\n";
        string bob = $"[Listener:other]\nAddress = {_address}:20002\nAuth = required\nUsers = bob:y\nMaxConnections = 1\n";
        await using var proxy = await ReloadableProxy.StartAsync(Text(worker, "20000-20002", ann));
        await using var open = await OpenAsync(First + 2, token, "ann", "x");

        Assert.That((await proxy.ReloadAsync(Text(worker, "20000-20001", ann) + bob)).Errors, Is.Empty);

        await using var first = await OpenAsync(First, token, "ann", "x");
        await using var second = await OpenAsync(First + 1, token, "ann", "x");
        await using (await OpenAsync(First + 2, token, "bob", "y"))
        {
        }

        foreach (var (port, user, password) in new[] { (First, "bob", "y"), (First + 2, "ann", "x") })
        {
            await using var stranger = await StreamAsync(port, token);
            await stranger.WriteAsync(new byte[] { 5, 1, 2 }, token);
            await SocksClient.ReadAsync(stranger, 2, token);
            await stranger.WriteAsync(SocksClient.Auth(user, password), token);
            Assert.That((await SocksClient.ReadAsync(stranger, 2, token))[1], Is.Not.Zero, $"{user} at {port}");
        }
    }

    private string Text(FakeTorWorker worker, string ports, string more = "") =>
        $"[Listener:ports]\nAddress = {_address}:{ports}\nSession = port\n{more}{ReloadableProxy.Worker("w", worker)}\n";

    private Task<ProxyUnderTest> StartAsync(
        FakeTorWorker[] workers, Action<ListenerOptions>? configure = null, int last = First + 2, TimeProvider? time = null) =>
        ProxyUnderTest.StartAsync(
            workers.Select(static worker => worker.EndPoint), options => Configure(options, last, configure), time);

    private void Configure(TorBalancerOptions options, int last, Action<ListenerOptions>? configure)
    {
        var listener = new ListenerOptions
        {
            Name = "ports",
            Address = new IPEndPoint(_address, First),
            LastPort = last,
            Session = ListenerSession.Port,
        };
        configure?.Invoke(listener);
        options.Listeners.Clear();
        options.Listeners.Add(listener);
    }

    private async Task<NetworkStream> StreamAsync(int port, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new IPEndPoint(_address, port), token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<NetworkStream> OpenAsync(int port, CancellationToken token, string? user = null, string? password = null)
    {
        var stream = await StreamAsync(port, token);
        byte[] reply = await SocksClient.RequestAsync(stream, "a.example", 80, token, user, password);
        Assert.That(reply[1], Is.Zero, port.ToString(CultureInfo.InvariantCulture));
        return stream;
    }

    private async Task ConnectAsync(int port, CancellationToken token, string? user = null, string? password = null)
    {
        await using var stream = await OpenAsync(port, token, user, password);
    }

    /// <summary>Connects by these ports, one after the other; the tokens of all requests of the worker.</summary>
    private async Task<IReadOnlyList<string>> TokensAsync(
        ProxyUnderTest proxy, FakeTorWorker worker, CancellationToken token, params int[] ports)
    {
        Assert.That(proxy.Server.Addresses, Is.Not.Empty);
        foreach (int port in ports)
            await ConnectAsync(port, token);
        return [.. worker.Requests.Select(static request => request.Password!)];
    }
}
