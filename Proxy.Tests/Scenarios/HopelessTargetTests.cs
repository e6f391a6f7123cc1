using System.Net;
using System.Net.Sockets;
using TorBalancer.Testnet;
using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Targets that no exit of a real tor takes, which left alone would ask and build circuits for two minutes.</summary>
[NonParallelizable] // It changes which exits a worker may use.
public sealed class HopelessTargetTests : ScenarioFixture
{
    private const string Worker = "worker-02";

    /// <summary>
    /// Far above what a busy machine asks for until it is told to end, and far below what the time of an attempt brings: hundreds a second.
    /// </summary>
    private const int FewAsked = 3000, FewBuilt = 1000;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private TestNode Node => Network.Node(Worker);

    [TestCase("127.0.66.66")]
    [TestCase("blocked.test")]
    [CancelAfter(90_000)]
    public async Task Address_that_every_exit_refuses_is_told_by_its_cause(string host, CancellationToken token)
    {
        await using var proxy = await StartWatchedAsync(token);
        await using var control = await WorkerControl.ConnectAsync(Node, token);
        using var events = control.Subscribe(65_536);
        await control.SetEventsAsync(["STREAM"], token);

        await AssertRefusedAsync(proxy, host, 80, token);

        Assert.That(await CountAsync(control, events, static message =>
            message is StreamEvent { Stream.Status: StreamStatus.SentConnect }, token), Is.LessThan(FewAsked));
    }

    [Test, CancelAfter(90_000)]
    public async Task Port_that_no_exit_takes_which_the_worker_may_use_is_told_by_its_cause(CancellationToken token)
    {
        await using var control = await WorkerControl.ConnectAsync(Node, token);
        await control.SetConfAsync(
            [new("ExitNodes", "$" + Network.Exits[0].Fingerprint), new("StrictNodes", "1")], CancellationToken.None);
        try
        {
            await using var proxy = await StartWatchedAsync(token);
            using var events = control.Subscribe(65_536);
            await control.SetEventsAsync(["CIRC"], token);

            // The other exits take it, so tor does not refuse it by itself.
            await AssertRefusedAsync(proxy, TestNetwork.OriginName, TestNetwork.PortOfOtherExits, token);
            int built = await CountAsync(control, events, IsBuilt, token);
            Assert.That(built, Is.InRange(1, FewBuilt));

            await AssertRefusedAsync(proxy, "another.test", TestNetwork.PortOfOtherExits, token);
            Assert.That(await CountAsync(control, events, IsBuilt, token), Is.LessThan(FewBuilt), "it is known by now");

            // A new list of relays, of which a test network makes many, is found out anew.
            Assert.That(
                proxy.Log.Entries.Count(static entry => entry.Message.Contains("takes port 26:", StringComparison.Ordinal)), Is.AtLeast(1));
        }
        finally
        {
            await control.ResetConfAsync([new("ExitNodes", null), new("StrictNodes", null)], CancellationToken.None);
        }

        static bool IsBuilt(ControlEvent message) => message is CircuitEvent { Circuit.Status: CircuitStatus.Built };
    }

    private static Task AssertRefusedAsync(ProxyUnderTest proxy, string host, int port, CancellationToken token) =>
        ErrorMatrix.AssertAsync(
            proxy, host, port, Limit, new Expected(0x02, 0x02, 403, "destination_ip_prohibited", "exit_policy", 1), token);

    /// <summary>How many such events there were up to now.</summary>
    private static async Task<int> CountAsync(
        ControlConnection control, ControlSubscription events, Func<ControlEvent, bool> which, CancellationToken token)
    {
        // What tor told before its answer has come when that has.
        await control.GetInfoAsync("version", token);
        int count = 0;
        while (events.Events.TryRead(out var message))
        {
            Assert.That(message, Is.Not.InstanceOf<EventsLostEvent>());
            if (which(message))
                count++;
        }

        return count;
    }

    private async Task<ProxyUnderTest> StartWatchedAsync(CancellationToken token)
    {
        var model = new WorkerModel(
            Worker, new IPEndPoint(IPAddress.Loopback, Node.SocksPort), ControlEndPoint: new UnixDomainSocketEndPoint(Node.ControlPath))
        {
            ControlCookie = Node.CookiePath,
        };
        var proxy = await ProxyUnderTest.StartAsync([model], static options =>
        {
            options.Route.Rules.Add(TestNetworkConf.Route);
            ErrorMatrix.AddExtendedListener(options);
        });
        proxy.Relays.Start();
        while (proxy.Relays.FactsOf(Worker) is not { IsConnected: true })
            await Task.Delay(20, token);
        return proxy;
    }
}
