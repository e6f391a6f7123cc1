using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// What shares a circuit and what does not, as real tor reports it on its control port. One worker only: two could not
/// share a circuit anyhow.
/// </summary>
public sealed class IsolationTests : ScenarioFixture
{
    private const string Worker = "worker-01";

    /// <summary>
    /// With conflux, tor takes a linked set of circuits before a single circuit of the same isolation, so a set that is linked
    /// between two streams would part what belongs together.
    /// </summary>
    [OneTimeSetUp]
    public async Task TurnConfluxOffAsync()
    {
        await using var control = await WorkerControl.ConnectAsync(Network.Node(Worker), CancellationToken.None);
        await control.SetConfAsync([KeyValuePair.Create<string, string?>("ConfluxEnabled", "0")], CancellationToken.None);
        foreach (string line in await control.GetInfoLinesAsync("circuit-status", CancellationToken.None))
        {
            if (CircuitInfo.TryParse(line) is { } circuit)
                await control.CloseCircuitAsync(circuit.Id, onlyIfUnused: false, CancellationToken.None);
        }
    }

    [OneTimeTearDown]
    public async Task TurnConfluxOnAsync()
    {
        await using var control = await WorkerControl.ConnectAsync(Network.Node(Worker), CancellationToken.None);
        await control.ResetConfAsync([KeyValuePair.Create<string, string?>("ConfluxEnabled", null)], CancellationToken.None);
    }

    [Test, CancelAfter(60_000)]
    public async Task Client_isolation_keeps_users_apart_and_each_on_one_circuit(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Client, token);
        var anna = await setup.CircuitAsync("one.test", token, "anna", "secret");
        var bert = await setup.CircuitAsync("one.test", token, "bert", "secret");
        var annaElsewhere = await setup.CircuitAsync("two.test", token, "anna", "secret");
        var otherPassword = await setup.CircuitAsync("one.test", token, "anna", "other");
        var nobody = await setup.CircuitAsync("one.test", token);

        Assert.That(annaElsewhere, Is.EqualTo(anna));
        Assert.That(new[] { anna, bert, otherPassword, nobody }.Select(static one => one.Circuit), Is.Unique);
        Assert.That(new[] { anna, bert, otherPassword, nobody }.Select(static one => one.Password), Is.Unique);
        Assert.That(anna.Password, Does.Not.Contain("anna").And.Not.Contain("secret"));
    }

    [Test, CancelAfter(60_000)]
    public async Task Client_isolation_keeps_client_addresses_apart(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Client, token);
        var first = await setup.CircuitAsync("one.test", token, from: IPAddress.Parse("127.0.0.1"));
        var second = await setup.CircuitAsync("one.test", token, from: IPAddress.Parse("127.0.0.2"));
        var firstAgain = await setup.CircuitAsync("one.test", token, from: IPAddress.Parse("127.0.0.1"));

        Assert.That(second.Circuit, Is.Not.EqualTo(first.Circuit));
        Assert.That(firstAgain, Is.EqualTo(first));
    }

    [Test, CancelAfter(60_000)]
    public async Task Client_isolation_keeps_listeners_apart(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Client, token);
        var first = await setup.CircuitAsync("one.test", token, "anna", "x");
        var second = await setup.CircuitAsync("one.test", token, "anna", "x", listener: 1);
        Assert.That(second.Circuit, Is.Not.EqualTo(first.Circuit));
    }

    [Test, CancelAfter(60_000)]
    public async Task User_isolation_knows_users_only(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.User, token);
        var anna = await setup.CircuitAsync("one.test", token, "anna", "x");
        var annaFromElsewhere = await setup.CircuitAsync("two.test", token, "anna", "x", IPAddress.Parse("127.0.0.2"), listener: 1);
        var bert = await setup.CircuitAsync("one.test", token, "bert", "x");

        Assert.That(annaFromElsewhere, Is.EqualTo(anna));
        Assert.That(bert.Circuit, Is.Not.EqualTo(anna.Circuit));
    }

    [Test, CancelAfter(60_000)]
    public async Task Destination_isolation_keeps_hosts_apart_but_not_their_ports(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Destination, token);
        var one = await setup.CircuitAsync("one.test", token, "anna", "x");
        var two = await setup.CircuitAsync("two.test", token, "anna", "x");
        var oneElsewhere = await setup.CircuitAsync("one.test", token, "anna", "x", port: Network.OriginPort);
        var bert = await setup.CircuitAsync("one.test", token, "bert", "x");

        Assert.That(oneElsewhere, Is.EqualTo(one));
        Assert.That(new[] { one.Circuit, two.Circuit, bert.Circuit }, Is.Unique);
    }

    [Test, CancelAfter(60_000)]
    public async Task Connection_isolation_gives_each_connection_its_own(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Connection, token);
        var carried = new List<CarriedStream>();
        for (int i = 0; i < 3; i++)
            carried.Add(await setup.CircuitAsync("one.test", token, "anna", "x"));
        Assert.That(carried.Select(static one => one.Circuit), Is.Unique);
    }

    [Test, CancelAfter(60_000)]
    public async Task No_isolation_lets_all_share_but_sessions(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.None, token);

        // Tor may put a stream on any of its circuits that has no isolation, so two that follow each other need not meet at the first try.
        CarriedStream anna, bert;
        int pairs = 0;
        do
        {
            anna = await setup.CircuitAsync("one.test", token, "anna", "x");
            bert = await setup.CircuitAsync("two.test", token, "bert", "y", IPAddress.Parse("127.0.0.2"), listener: 1);
        }
        while (bert != anna && ++pairs < 10);

        var session = await setup.CircuitAsync("one.test", token, "session-abc");

        Assert.That(anna.Password, Is.Null);
        Assert.That(bert, Is.EqualTo(anna));
        Assert.That(session.Circuit, Is.Not.EqualTo(anna.Circuit));
    }

    [Test, CancelAfter(60_000)]
    public async Task Session_keeps_its_circuit_whatever_the_target(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Destination, token);
        var first = await setup.CircuitAsync("one.test", token, "session-abc");
        var second = await setup.CircuitAsync("two.test", token, "session-abc");
        var other = await setup.CircuitAsync("one.test", token, "session-def");

        Assert.That(second, Is.EqualTo(first));
        Assert.That(other.Circuit, Is.Not.EqualTo(first.Circuit));
    }

    [Test, CancelAfter(60_000)]
    public async Task Rotated_session_changes_its_circuit_at_the_third_use(CancellationToken token)
    {
        await using var setup = await StartAsync(IsolationMode.Client, token);
        var carried = new List<CarriedStream>();
        for (int i = 0; i < 5; i++)
            carried.Add(await setup.CircuitAsync("one.test", token, "session-x-rotate-2"));

        Assert.That(carried[1], Is.EqualTo(carried[0]));
        Assert.That(carried[3], Is.EqualTo(carried[2]));
        Assert.That(new[] { carried[0].Circuit, carried[2].Circuit, carried[4].Circuit }, Is.Unique);
    }

    private async Task<Setup> StartAsync(IsolationMode isolation, CancellationToken token)
    {
        var proxy = await StartProxyAsync(
            options =>
            {
                options.Balancing.Isolation = isolation;
                options.Listeners.Add(new ListenerOptions { Name = "second", Address = new IPEndPoint(IPAddress.Loopback, 0) });
            },
            Worker);
        return new Setup(proxy, await StreamWatch.StartAsync(Network.Node(Worker), token), Network.EchoPort);
    }

    private sealed class Setup(ProxyUnderTest proxy, StreamWatch watch, int echoPort) : IAsyncDisposable
    {
        /// <summary>Opens a stream, lets the target echo once, and says how tor carried it.</summary>
        public async Task<CarriedStream> CircuitAsync(
            string host, CancellationToken token, string? user = null, string? password = null, IPAddress? from = null, int listener = 0,
            int? port = null)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            if (from is not null)
                socket.Bind(new IPEndPoint(from, 0));
            await socket.ConnectAsync(proxy.Server.Addresses[listener].Address, token);
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            var reply = await SocksClient.RequestAsync(stream, host, port ?? echoPort, token, user, password);
            Assert.That(reply[1], Is.Zero);
            return await watch.NextAsync($"{host}:{port ?? echoPort}", token);
        }

        public async ValueTask DisposeAsync()
        {
            await watch.DisposeAsync();
            await proxy.DisposeAsync();
        }
    }
}
