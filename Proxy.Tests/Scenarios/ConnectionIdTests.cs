using System.Net;
using System.Net.Sockets;
using TorBalancer.Admin;
using TorBalancer.Admin.Explain;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Events;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>What is told of single connections through a real tor: attempts, circuit and exit, against what tor itself says.</summary>
public sealed class ConnectionIdTests : ScenarioFixture
{
    private const string Worker = "worker-01";

    [Test, CancelAfter(90_000)]
    public async Task Connection_is_found_by_its_id_with_circuit_and_exit(CancellationToken token)
    {
        // The first choice is no tor at all: its attempt fails, and is told.
        var node = Network.Node(Worker);
        await using var proxy = await ProxyUnderTest.StartAsync(
            [
                new WorkerModel("nobody", new IPEndPoint(IPAddress.Loopback, 1)),
                new WorkerModel(
                    Worker, new IPEndPoint(IPAddress.Loopback, node.SocksPort),
                    ControlEndPoint: new UnixDomainSocketEndPoint(node.ControlPath))
                {
                    ControlCookie = node.CookiePath,
                },
            ],
            options =>
            {
                options.Balancing.Mode = "failover";
                options.Route.Rules.Add(TestNetworkConf.Route);
            });
        proxy.Relays.Start();
        while (proxy.Relays.FactsOf(Worker) is not { IsConnected: true })
            await Task.Delay(20, token);
        var views = proxy.Get<ConnectionViews>();
        var (foreseen, _) = proxy.Get<Explainer>().Explain(new ExplainParameters($"id.test:{Network.EchoPort}", null, null, null, null));
        Assert.That(foreseen!.Chosen, Is.EqualTo("nobody"));

        var client = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(client, "id.test", Network.EchoPort, token))[1], Is.Zero);
        string id = views.All().Connections.Single().Id;
        ConnectionDetailView live;
        do
        {
            live = views.Find(id)!;
            await Task.Delay(20, token);
        }
        while (live.Circuit is null);

        Assert.That(live.State, Is.EqualTo("open"));
        Assert.That(
            live.Attempts.Select(static one => $"{one.Worker} {one.Outcome} {one.Cause}"),
            Is.EqualTo(new[] { "nobody failed worker_refused", $"{Worker} succeeded " }));
        Assert.That(live.Attempts[1].TookMs, Is.Positive);
        await using (var control = await WorkerControl.ConnectAsync(node, token))
        {
            var circuit = (await control.GetInfoLinesAsync("circuit-status", token)).Select(CircuitInfo.TryParse)
                .Single(info => info?.Id == live.Circuit.Id)!;
            Assert.That(live.Circuit.Path, Is.EqualTo(circuit.Path.Select(static relay => relay.ToString())));
            Assert.That(live.Circuit.Path, Has.Count.GreaterThanOrEqualTo(3));
            Assert.That(live.Exit, Is.EqualTo(live.Circuit.Path[^1]));
        }

        await client.DisposeAsync();
        ConnectionDetailView ended;
        do
        {
            ended = views.Find(id)!;
            await Task.Delay(20, token);
        }
        while (ended.State != "ended");
        Assert.That(ended.Exit, Is.EqualTo(live.Exit), "known after its end as well");
        Assert.That(ended.Circuit!.Path, Is.EqualTo(live.Circuit.Path));
        Assert.That(ended.Cause, Is.EqualTo("ok"));

        // It was passed over for having refused, and the question knows.
        (foreseen, _) = proxy.Get<Explainer>().Explain(new ExplainParameters($"id.test:{Network.EchoPort}", null, null, null, null));
        Assert.That(foreseen!.Chosen, Is.EqualTo(Worker));
        Assert.That(foreseen.Candidates[0].Why, Does.StartWith("passed over"));
    }
}
