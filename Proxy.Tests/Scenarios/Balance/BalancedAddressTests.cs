using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>
/// One address over many backends, all of it real: tors with the instances, the program as a publisher with a tor of its own, tors as
/// clients. TORBALANCER_INSTANCES=2,10,11,20,40,60 for other numbers of instances, TORBALANCER_REQUESTS=400 for more requests to each:
/// from there on chance alone takes none out of the tolerance, and it is held to it.
/// </summary>
[NonParallelizable] // It loads the machine.
[SupportedOSPlatform("linux")]
public sealed class BalancedAddressTests
{
    private const double Tolerance = 0.2;

    // A tor with many services is long about their introduction points and uploads.
    private const int ToEachTor = 5;

    // Requests to each instance before it is looked again what the directories have: introduction points, directories and time periods
    // change in a long run.
    private const int EachRound = 50;

    // Some twenty requests a second is what two busy cores do.
    private static readonly TimeSpan ForOne = TimeSpan.FromSeconds(0.1), ForTheRest = TimeSpan.FromMinutes(7);

    private static readonly int[] Sizes =
    [
        .. (Environment.GetEnvironmentVariable("TORBALANCER_INSTANCES") ?? "25").Split(',')
            .Select(static one => int.Parse(one, CultureInfo.InvariantCulture)),
    ];

    private static readonly int RequestsEach =
        int.Parse(Environment.GetEnvironmentVariable("TORBALANCER_REQUESTS") ?? "20", CultureInfo.InvariantCulture);

    // Relays enough for 20 introduction points at different ones: of two at one relay tor's clients use the first only. And a client for
    // each directory that clients ask.
    private static readonly TestNetworkOptions Network = new() { Relays = 24, Exits = 1, Workers = 6 };

    private TestNetwork _network = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        SharedTestNetwork.RequireTor();
        _network = await TestNetwork.StartAsync(Network);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_network is not null)
            await _network.DisposeAsync();
    }

    [TestCaseSource(nameof(Sizes)), CancelAfter(3_600_000)]
    public async Task Clients_are_spread_evenly_over_all_instances(int instances, CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(ForTheRest + (ForOne * instances * RequestsEach));
        var token = limit.Token;
        var network = _network;
        using var identity = IdentityKey.Generate();
        int tors = Math.Max(Math.Min(instances, 4), instances / ToEachTor);
        await using var fleet = await BackendFleet.StartAsync(network, [identity.Address], instances, tors, token);
        await using var publisher = await OnionPublisher.StartAsync(network, identity, fleet.Addresses, token);
        var clients = OnionClient.AllOf(network);
        var watch = Stopwatch.StartNew();
        await publisher.PublishedAsync(instances, token);
        TestContext.Progress.WriteLine(
            $"{instances} instances: at all directories {watch.Elapsed.TotalSeconds:F0} s after the publisher's start");
        var shares = await EvenAsync(clients[0], identity.Address, fleet, publisher, token);
        TestContext.Progress.WriteLine($"{instances} instances: {shares}");

        // Each as tor does it: it asks a directory that it picks.
        foreach (var client in clients)
            Assert.That((await client.RequestAsync(identity.Address, token)).Failure, Is.Empty);

        watch.Restart();
        var answered = new List<int>();
        var failures = new List<string>();
        for (int left = RequestsEach; left > 0; left -= EachRound)
        {
            if (left < RequestsEach)
                shares = await EvenAsync(clients[0], identity.Address, fleet, publisher, token);
            await RoundAsync(clients, identity.Address, shares, instances * Math.Min(left, EachRound), answered, failures, token);
        }

        var spread = new Spread(instances, answered);
        TestContext.Progress.WriteLine($"{spread}; {failures.Count} failed, {spread.Total / watch.Elapsed.TotalSeconds:F0} a second");

        Assert.That(failures, Is.Empty);
        if (!shares.AreApart)
        {
            TestContext.Progress.WriteLine("not judged: there are introduction points at one relay, which clients take for one");
            return;
        }

        // With few requests chance takes some farther off than the tolerance; with many it does so once in thousands of runs.
        double allowed = spread.Chance <= Tolerance / 4 ? Tolerance : Tolerance + (3.5 * spread.Chance);
        Assert.That(spread.Extremes.Least, Is.GreaterThan(1 - allowed));
        Assert.That(spread.Extremes.Most, Is.LessThan(1 + allowed));
        Assert.That(spread.Probability, Is.GreaterThan(1e-4), "the spread is not even");
    }

    /// <summary>Waits until all directories have descriptors of one revision, with all instances in them.</summary>
    private static async Task<DirectoryShares> EvenAsync(
        OnionClient client, OnionServiceAddress address, BackendFleet fleet, OnionPublisher publisher, CancellationToken token)
    {
        DirectoryShares? shares = null;
        var owners = new Dictionary<string, int>();
        try
        {
            while (true)
            {
                // The address last: no instance is asked before it is there.
                if (await client.FetchFromAsync(address, null, token))
                {
                    shares = await DirectoryShares.ReadAsync(client, address, fleet.Addresses, token, owners);
                    if (shares.Report.Problems.Count == 0
                        && shares.Shares.All(static share => Math.Abs(share - 1) <= Tolerance)
                        && shares.Asked.All(static one => one.Descriptor?.InnerLayer?.IntroductionPoints.Count <= 20))
                        return shares;
                }

                await Task.Delay(500, token);
            }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{shares}\n{string.Join('\n', shares?.Report.Problems ?? [])}\n{publisher}");
            throw;
        }
    }

    /// <summary>Each directory's clients are as many, which chance does where there are very many of them.</summary>
    private static Task RoundAsync(
        OnionClient[] clients, OnionServiceAddress address, DirectoryShares shares, int requests, List<int> answered,
        List<string> failures, CancellationToken token) => Task.WhenAll(clients.Select(async (client, number) =>
    {
        for (int i = number; i < shares.Asked.Count; i += clients.Length)
        {
            // A circuit to a directory may fail, as any.
            while (shares.Sets > 1 && !await client.FetchFromAsync(address, shares.Asked[i].Fingerprint, token))
                await Task.Delay(500, token);
            await AskAsync(client, address, requests / shares.Asked.Count, answered, failures, token);
        }
    }));

    private static async Task AskAsync(
        OnionClient client, OnionServiceAddress address, int requests, List<int> answered, List<string> failures, CancellationToken token)
    {
        const int atOnce = 4;
        int left = requests;
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var (instance, failure) = await client.RequestAsync(address, token);
                lock (answered)
                {
                    if (instance is { } known)
                        answered.Add(known);
                    else
                        failures.Add(failure);
                }
            }
        }));
    }
}
