using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Testnet;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Onion.Descriptors;

/// <summary>The network's own documents, from a real tor: its consensus, and the descriptor of the onion service that it serves.</summary>
public sealed class RealTorDescriptorTests
{
    /// <summary>Where a real client looks for the descriptor is where the ring has it, and what it finds is read.</summary>
    [Test, CancelAfter(150_000)]
    public async Task Ring_and_descriptor_are_those_of_real_tor(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        await using var control = await ConnectAsync(network, token);
        var address = OnionVectors.Address(network.OnionAddress);
        using var subscription = control.Subscribe();
        await control.SetEventsAsync(["HS_DESC", "HS_DESC_CONTENT"], token);

        var asked = new HashSet<string>();
        string text = "";
        NetworkConsensus consensus;
        do
        {
            // The same consensus before and after: tor asks by the one that it has.
            consensus = await ReadConsensusAsync(control, token);
            asked.Clear();
            for (int i = 0; i < 6; i++)
            {
                await control.FetchDescriptorAsync(address.Label, token);
                var (directory, content) = await ReceivedAsync(subscription, address.Label, token);
                asked.Add(directory);
                text = content;
            }
        }
        while ((await ReadConsensusAsync(control, token)).ValidAfter != consensus.ValidAfter);

        var now = TimeProvider.System.GetUtcNow();
        var schedule = new PeriodSchedule(consensus, isTestingNetwork: true);
        var terms = new[] { schedule.Term(DescriptorOrder.First), schedule.Term(DescriptorOrder.Second) };
        var descriptor = OnionDescriptor.Read(text, now, out var problem);
        Assert.That(descriptor, Is.Not.Null, problem.Detail);
        Assert.That(descriptor!.PeriodOf(address, [schedule.Current]), Is.EqualTo(schedule.Current));
        var content2 = descriptor.Open(address, now, out problem);
        Assert.That(content2, Is.Not.Null, problem.Detail);
        Assert.That(content2!.IntroductionPoints, Is.Not.Empty);
        Assert.That((content2.UnusableIntroductionPoints, content2.Create2Formats), Is.EqualTo((0, "2")));

        var term = terms.Single(one => one.Period == schedule.Current);
        var responsible = new HashRing(consensus.Directories, term.Period, term.SharedRandom)
            .Responsible(descriptor.BlindedKey, consensus.Replicas, consensus.SpreadFetch);
        Assert.That(asked, Is.SubsetOf(responsible.Select(static one => one.Relay.Fingerprint)));
        TestContext.Out.WriteLine(
            $"asked {asked.Count} of the {responsible.Count} directories of {consensus.Directories.Count}; "
                + $"{content2.IntroductionPoints.Count} introduction points, flow-control {content2.FlowControl}");
    }

    private static async Task<ControlConnection> ConnectAsync(TestNetwork network, CancellationToken token) =>
        await ControlConnection.ConnectAsync(
            new UnixDomainSocketEndPoint(network.Workers[0].ControlPath), ControlCredentials.None, ControlConnectionOptions.Default,
            NullLogger.Instance, TimeProvider.System, token);

    private static async Task<NetworkConsensus> ReadConsensusAsync(ControlConnection control, CancellationToken token)
    {
        var values = await control.GetInfoAsync(["dir/status-vote/current/consensus-microdesc", "md/all"], token);
        return ConsensusReader.TryRead(values[0], Microdescriptors.Read(values[1]), out var consensus, out string? error)
            ? consensus
            : throw new InvalidOperationException(error);
    }

    private static async Task<(string Directory, string Text)> ReceivedAsync(
        ControlSubscription subscription, string address, CancellationToken token)
    {
        await foreach (var one in subscription.Events.ReadAllAsync(token))
        {
            if (one is HsDescContentEvent { HsDir: { } directory, Content: var content } received && received.Address == address)
                return (directory.Fingerprint, content);
        }

        throw new InvalidOperationException("the connection ended");
    }
}
