using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>
/// Our publisher and Debian's onionbalance side by side: two addresses over the same backends, on one network. It takes
/// minutes. TORBALANCER_BESIDE=2,10,11 are the numbers of instances.
/// </summary>
[NonParallelizable]
[SupportedOSPlatform("linux")]
[Category("Long")]
public sealed class BesideOnionbalanceTests
{
    // Above this its descriptor has more than 20 introduction points: two of each instance.
    private const int MostOfOnionbalance = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(100);

    [Test, CancelAfter(550_000)]
    public async Task Both_balance_the_same_backends(CancellationToken token)
    {
        string sizes = Environment.GetEnvironmentVariable("TORBALANCER_BESIDE") is { Length: > 0 } given ? given : "2,10,11";
        SharedTestNetwork.RequireTor();
        var options = new TestNetworkOptions { VotingInterval = Onionbalance.VotingInterval, Relays = 24, Exits = 1 };
        await using var network = await TestNetwork.StartAsync(options, cancellationToken: token);
        foreach (int instances in sizes.Split(',').Select(static one => int.Parse(one, CultureInfo.InvariantCulture)))
            await CompareAsync(network, instances, token);
    }

    private static async Task CompareAsync(TestNetwork network, int instances, CancellationToken token)
    {
        using var ourKey = IdentityKey.Generate();
        using var theirKey = IdentityKey.Generate();
        await using var fleet = await BackendFleet.StartAsync(
            network, [ourKey.Address, theirKey.Address], instances, Math.Min(instances, 4), token);
        await using var ours = await OnionPublisher.StartAsync(network, ourKey, fleet.Addresses, token);
        await using var theirs = await Onionbalance.StartAsync(network, theirKey, fleet.Addresses, token);
        var clients = OnionClient.AllOf(network);
        var watch = Stopwatch.StartNew();
        var reached = await Task.WhenAll(
            ReachAsync(clients[0], ourKey.Address, watch, token), ReachAsync(clients[1], theirKey.Address, watch, token));
        TestContext.Progress.WriteLine(
            $"{instances} instances: ours reached after {Shown(reached[0])}, onionbalance's after {Shown(reached[1])}");
        Assert.That(reached[0], Is.Not.Null, ours.ToString());
        Assert.That(reached[1] is not null, Is.EqualTo(instances <= MostOfOnionbalance), theirs.ToString());

        TestContext.Progress.WriteLine($"  ours: {await AskAsync(clients, ourKey.Address, instances, token)}");
        if (reached[1] is not null)
            TestContext.Progress.WriteLine($"  onionbalance's: {await AskAsync(clients, theirKey.Address, instances, token)}");
        var (ourReport, failure) = await InspectAsync(clients[2], ourKey.Address, token);
        Assert.That(ourReport, Is.Not.Null, failure);
        var our = ourReport!;
        TestContext.Progress.WriteLine($"  ours: {Facts(our)}");
        Assert.That(our.Problems, Is.Empty);
        Assert.That(our.Notes, Is.Empty, "nothing tells it from a descriptor of tor's");
        (var their, failure) = await InspectAsync(clients[2], theirKey.Address, token);
        TestContext.Progress.WriteLine($"  onionbalance's: {(their is null ? failure : Facts(their))}");
        if (instances > MostOfOnionbalance)
        {
            Assert.That((their is null, failure), Is.EqualTo((true, "BAD_DESC")), "tor takes no more than 20 introduction points");
            return;
        }

        Assert.That(their!.InnerLayer!.IntroductionPoints, Has.Count.EqualTo(2 * instances));
        Assert.That(
            (our.LifetimeMinutes, our.OuterLayer!.Clients, our.OuterLayer.AuthenticationType, our.InnerLayer!.Create2Formats),
            Is.EqualTo((
                their.LifetimeMinutes, their.OuterLayer!.Clients, their.OuterLayer.AuthenticationType, their.InnerLayer.Create2Formats)));
        Assert.That(our.InnerLayer.FlowControl, Is.Not.Null, "all backends are of one version");
        Assert.That(their.InnerLayer.FlowControl, Is.Null, "dropped");
    }

    private static async Task<TimeSpan?> ReachAsync(
        OnionClient client, OnionServiceAddress address, Stopwatch watch, CancellationToken token)
    {
        while (watch.Elapsed < Patience)
        {
            if (await client.FetchFromAsync(address, null, token) && (await client.RequestAsync(address, token)).Instance is not null)
                return watch.Elapsed;
            await Task.Delay(1000, token);
        }

        return null;
    }

    private static async Task<string> AskAsync(
        OnionClient[] clients, OnionServiceAddress address, int instances, CancellationToken token)
    {
        var answers = await Task.WhenAll(clients.Select(async client =>
        {
            var found = new List<(int? Instance, string Failure)>();
            for (int i = 0; i < 10 * instances; i++)
                found.Add(await client.RequestAsync(address, token));
            return found;
        }));
        var all = answers.SelectMany(static one => one).ToArray();
        return $"{new Spread(instances, all.Where(static one => one.Instance is not null).Select(static one => one.Instance!.Value))}; "
            + $"{all.Count(static one => one.Instance is null)} failed";
    }

    private static async Task<(DescriptorReport? Report, string? Failure)> InspectAsync(
        OnionClient client, OnionServiceAddress address, CancellationToken token)
    {
        await using var control = await client.ConnectAsync(token);
        using var source = await DescriptorSource.OpenAsync(control, TimeSpan.FromSeconds(30), TimeProvider.System, token);
        var (consensus, isTesting, error) = await source.ReadNetworkAsync(token);
        Assert.That(consensus, Is.Not.Null, error);
        var (report, _, failure) = await new DescriptorInspection(source, address, consensus!, new PeriodSchedule(consensus!, isTesting))
            .OfOneAsync(6, TimeProvider.System, token);
        return (report, failure);
    }

    private static string Facts(DescriptorReport report) =>
        $"{report.Size} bytes, outer layer {report.OuterLayer!.Size}, {report.InnerLayer!.IntroductionPoints.Count} introduction points, "
            + $"flow-control {report.InnerLayer.FlowControl ?? "no"}; {string.Join("; ", report.Problems)}";

    private static string Shown(TimeSpan? time) => time is { } known ? $"{known.TotalSeconds:F0} s" : $"never, {Patience.TotalSeconds} s";
}
