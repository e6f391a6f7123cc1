using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Testnet;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>Backends of real tor, descriptors of ours at real directories, a real client: what all the rest is for.</summary>
[SupportedOSPlatform("linux")]
public sealed class PublishedAddressTests
{
    private const int Backends = 2;

    [Test, CancelAfter(180_000)]
    public async Task A_real_client_reaches_all_backends_of_an_address_that_was_published_here(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        using var identity = IdentityKey.FromSeed(RandomNumberGenerator.GetBytes(32));
        string directory = Directory.CreateTempSubdirectory("tbt").FullName;
        await using var origins = new NamedOrigins(Backends);
        try
        {
            await using var backends = await ClientTor.StartAsync(network, "", token, Torrc(directory, identity.Address, origins));
            await using var control = await ConnectAsync(network, token);
            using var subscription = control.Subscribe();
            await control.SetEventsAsync(["HS_DESC", "HS_DESC_CONTENT"], token);
            var consensus = await ReadConsensusAsync(control, token);
            var instances = new List<InstanceState>();
            for (int i = 0; i < Backends; i++)
            {
                string name = (await File.ReadAllTextAsync(Path.Combine(directory, $"hs{i}", "hostname"), token)).Trim();
                var instance = new InstanceState($"node{i}", OnionVectors.Address(name), 1);
                await FetchAsync(control, subscription, instance, new PeriodSchedule(consensus, isTestingNetwork: true), token);
                instances.Add(instance);
            }

            var flowControl = instances.Select(static one => one.Content!.FlowControl).Distinct().ToArray();
            Assert.That(flowControl, Has.Length.EqualTo(1).And.All.Not.Null, "tor 0.4.9 says what congestion control it can do");
            consensus = await ReadConsensusAsync(control, token);
            var now = TimeProvider.System.GetUtcNow();
            var points = IntroductionPlan.Single([.. instances.Select(one => one.Live(now, TimeSpan.FromHours(1))!)], new Random(1));
            foreach (var order in new[] { DescriptorOrder.First, DescriptorOrder.Second })
                await PublishAsync(control, subscription, identity, consensus, order, points, flowControl[0], token);

            var answers = new Dictionary<string, int>();
            for (int i = 0; i < 24; i++)
            {
                // Another identity each time: another circuit, another introduction point.
                string proxy = $"socks5h://u{i}:p@127.0.0.1:{network.Workers[1].SocksPort}";
                var result = await ClientProcess.CurlAsync(
                    token, "--max-time", "60", "--proxy", proxy, $"http://{identity.Address}/");
                Assert.That(result.ExitCode, Is.Zero, result.Error);
                answers[result.Output] = answers.GetValueOrDefault(result.Output) + 1;
            }

            TestContext.Out.WriteLine($"{points.Count} introduction points; {string.Join(", ", answers)}");
            Assert.That(answers.Keys, Is.EquivalentTo(new[] { "origin 0", "origin 1" }));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string[] Torrc(string directory, OnionServiceAddress address, NamedOrigins origins)
    {
        var lines = new List<string>();
        for (int i = 0; i < Backends; i++)
        {
            // ob_config must be there before tor reads the option.
            const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            string service = Directory.CreateDirectory(Path.Combine(directory, $"hs{i}"), mine).FullName;
            File.WriteAllText(Path.Combine(service, "ob_config"), $"MasterOnionAddress {address}\n");
            lines.AddRange(
                $"HiddenServiceDir {service}", $"HiddenServicePort 80 127.0.0.1:{origins.Port(i)}", "HiddenServiceOnionBalanceInstance 1");
        }

        return [.. lines];
    }

    private static async Task FetchAsync(
        ControlConnection control,
        ControlSubscription subscription,
        InstanceState instance,
        PeriodSchedule schedule,
        CancellationToken token)
    {
        // A service publishes some seconds after its start; before that it is not found.
        while (true)
        {
            await control.FetchDescriptorAsync(instance.Address.Label, token);
            await foreach (var one in subscription.Events.ReadAllAsync(token))
            {
                if (one is not HsDescContentEvent content || content.Address != instance.Address.Label)
                    continue;
                if (content.Content.Trim().Length == 0)
                    break;
                var receipt = instance.Receive(
                    content.Content,
                    [schedule.Current.Previous, schedule.Current, schedule.Current.Next],
                    TimeProvider.System.GetUtcNow());
                Assert.That(receipt, Is.EqualTo(Receipt.Changed), instance.Problem?.Detail);
                return;
            }

            await Task.Delay(TimeSpan.FromSeconds(1), token);
        }
    }

    private static async Task PublishAsync(
        ControlConnection control,
        ControlSubscription subscription,
        IdentityKey identity,
        NetworkConsensus consensus,
        DescriptorOrder order,
        IReadOnlyList<IntroductionPoint> points,
        string? flowControl,
        CancellationToken token)
    {
        var now = TimeProvider.System.GetUtcNow();
        var term = new PeriodSchedule(consensus, isTestingNetwork: true).Term(order);
        var built = DescriptorBuilder.Build(
            identity,
            new DescriptorDraft
            {
                Period = term.Period,
                RevisionCounter = RevisionCounter.At(identity, term.RunStart, now),
                IntroductionPoints = points,
                FlowControl = flowControl,
            },
            now);
        var missing = new HashSet<string>(
            new HashRing(consensus.Directories, term.Period, term.SharedRandom)
                .Responsible(built.BlindedKey, consensus.Replicas, consensus.SpreadStore).Select(static one => one.Relay.Fingerprint));
        int all = missing.Count;
        await control.PostDescriptorAsync(identity.Address.Label, [.. missing], built.Text, token);
        await foreach (var one in subscription.Events.ReadAllAsync(token))
        {
            if (one is not HsDescEvent { HsDir: { } directory } heard || heard.Address != identity.Address.Label)
                continue;
            Assert.That(heard.Action, Is.Not.EqualTo("FAILED"), heard.Reason);
            if (heard.Action == "UPLOADED")
                missing.Remove(directory.Fingerprint);
            if (missing.Count == 0)
                break;
        }

        TestContext.Out.WriteLine($"{order}: {built.Text.Length} bytes at {all} of {consensus.Directories.Count} directories");
    }

    private static async Task<NetworkConsensus> ReadConsensusAsync(ControlConnection control, CancellationToken token)
    {
        var values = await control.GetInfoAsync(["dir/status-vote/current/consensus-microdesc", "md/all"], token);
        return ConsensusReader.TryRead(values[0], Microdescriptors.Read(values[1]), out var consensus, out string? error)
            ? consensus
            : throw new InvalidOperationException(error);
    }

    private static async Task<ControlConnection> ConnectAsync(TestNetwork network, CancellationToken token) =>
        await ControlConnection.ConnectAsync(
            new UnixDomainSocketEndPoint(network.Workers[0].ControlPath), ControlCredentials.None, ControlConnectionOptions.Default,
            NullLogger.Instance, TimeProvider.System, token);
}
