using System.Collections.Concurrent;
using System.Diagnostics;
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
/// A network whose time periods last 6 minutes: over a new time period and a new shared random value the address is never away, and it is
/// not while its topology changes. It takes minutes.
/// </summary>
[NonParallelizable]
[SupportedOSPlatform("linux")]
[Category("Long")]
public sealed class PeriodChangeTests
{
    private const int Instances = 25;

    // 24 of them are a whole number of minutes, which tor counts time periods in.
    private static readonly TimeSpan VotingInterval = TimeSpan.FromSeconds(15), Cycle = 24 * VotingInterval;

    private TestNetwork _network = null!;

    private OnionClient[] Clients => OnionClient.AllOf(_network);

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        SharedTestNetwork.RequireTor();
        _network = await TestNetwork.StartAsync(new TestNetworkOptions { VotingInterval = VotingInterval });
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (_network is not null)
            await _network.DisposeAsync();
    }

    [Test, CancelAfter(540_000)]
    public async Task Address_is_reached_over_a_whole_cycle_of_periods(CancellationToken token)
    {
        using var identity = IdentityKey.Generate();
        await using var fleet = await BackendFleet.StartAsync(_network, [identity.Address], Instances, 4, token);
        await using var publisher = await OnionPublisher.StartAsync(_network, identity, fleet.Addresses, token);
        while (!await Clients.First().FetchFromAsync(identity.Address, null, token))
            await Task.Delay(500, token);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        stop.CancelAfter(Cycle + VotingInterval);
        var watch = new AddressWatch(identity.Address);
        await Task.WhenAll(Clients.Select(client => watch.RunAsync(client, stop.Token)));

        TestContext.Progress.WriteLine(watch.ToString());
        Assert.That(watch.Failures, Is.Empty, publisher.ToString());
        Assert.That(watch.Periods, Has.Count.GreaterThanOrEqualTo(2), "a new time period");
        Assert.That(watch.SharedRandoms, Has.Count.GreaterThanOrEqualTo(2), "a new shared random value");
        Assert.That(watch.Directories, Has.Count.GreaterThanOrEqualTo(6));
    }

    /// <summary>As the README of onion init says: the new set beside the old one, which goes when the new one has taken over.</summary>
    [Test, CancelAfter(500_000)]
    public async Task Address_is_reached_while_its_topology_changes(CancellationToken token)
    {
        using var identity = IdentityKey.Generate();
        var watch = new AddressWatch(identity.Address);
        await using var fleet = await BackendFleet.StartAsync(_network, [identity.Address], 2, 2, token);
        string first = MakeParallel(identity), second = MakeParallel(identity);
        try
        {
            await using (var host1 = await StartParallelAsync(first, fleet.Port(0), token))
            await using (var host2 = await StartParallelAsync(second, fleet.Port(1), token))
            {
                await WaitAsync(watch, token);
                await watch.DuringAsync("parallel", Clients, TimeSpan.FromSeconds(15), token);
                await using var publisher = await OnionPublisher.StartAsync(_network, identity, fleet.Addresses, token);
                await watch.DuringAsync("both", Clients, OwnedByAsync(identity.Address, fleet, areInstances: true, token), token);
                await host1.StopAsync();
                await host2.StopAsync();
                await watch.DuringAsync("split", Clients, TimeSpan.FromSeconds(20), token);

                // A second publisher with the same key on another host: either may go.
                await using var further = await OnionPublisher.StartAsync(_network, identity, fleet.Addresses, token);
                await watch.DuringAsync("combined", Clients, further.PublishedAsync(2, token), token);
                await watch.DuringAsync("combined", Clients, TimeSpan.FromSeconds(15), token);
                await publisher.StopAsync();
                await watch.DuringAsync("the other publisher", Clients, TimeSpan.FromSeconds(15), token);

                // And back.
                await using var again1 = await StartParallelAsync(first, fleet.Port(0), token);
                await using var again2 = await StartParallelAsync(second, fleet.Port(1), token);
                await further.StopAsync();
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(token);
                var back = OwnedByAsync(identity.Address, fleet, areInstances: false, patience.Token);
                await watch.DuringAsync(
                    "both", Clients, Task.WhenAny(back, Task.Delay(TimeSpan.FromSeconds(60), token)), token);

                // A tor that was refused publishes again when its own time comes, an hour or two later: so long the backends stay.
                if (back.IsCompletedSuccessfully)
                {
                    await fleet.StopAsync();
                    await watch.DuringAsync("parallel", Clients, TimeSpan.FromSeconds(30), token);
                }

                await patience.CancelAsync();
                await back.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }

            TestContext.Progress.WriteLine(watch.ToString());
            Assert.That(watch.Failures, Is.Empty);
        }
        finally
        {
            Directory.Delete(first, recursive: true);
            Directory.Delete(second, recursive: true);
        }
    }

    private static string MakeParallel(IdentityKey identity)
    {
        string directory = Directory.CreateTempSubdirectory("tbh").FullName;
        BackendFleet.WriteKey(directory, identity);
        return directory;
    }

    private Task<ClientTor> StartParallelAsync(string directory, int port, CancellationToken token) => ClientTor.StartAsync(
        _network, "", token, $"HiddenServiceDir {directory}", $"HiddenServicePort 80 127.0.0.1:{port}");

    private async Task WaitAsync(AddressWatch watch, CancellationToken token)
    {
        while (!await Clients.First().FetchFromAsync(watch.Address, null, token))
            await Task.Delay(500, token);
    }

    /// <summary>Until all directories have descriptors with introduction points of the instances, or of others.</summary>
    private async Task OwnedByAsync(OnionServiceAddress address, BackendFleet fleet, bool areInstances, CancellationToken token)
    {
        while (true)
        {
            var shares = await DirectoryShares.ReadAsync(Clients.Last(), address, fleet.Addresses, token);
            double owned = shares.Shares.Sum() / shares.Shares.Count;
            if (shares.Report.Directories.All(static one => one.Descriptor is not null)
                && (areInstances ? owned > 0.999 : owned < 0.001))
                return;
            await Task.Delay(1000, token);
        }
    }

    /// <summary>Fetches an address's descriptor and makes a request, over and over.</summary>
    private sealed class AddressWatch(OnionServiceAddress address)
    {
        private readonly Stopwatch _elapsed = Stopwatch.StartNew();
        private readonly ConcurrentQueue<string> _failures = new();
        private readonly ConcurrentQueue<string> _changes = new();
        private readonly ConcurrentDictionary<string, int> _phases = new();
        private string _phase = "";
        private int _fetches, _requests;

        public OnionServiceAddress Address => address;

        public IReadOnlyCollection<string> Failures => _failures;

        public ConcurrentDictionary<ulong, double> Periods { get; } = new();

        public ConcurrentDictionary<string, double> SharedRandoms { get; } = new();

        public ConcurrentDictionary<string, int> Directories { get; } = new();

        public async Task DuringAsync(string phase, IEnumerable<OnionClient> clients, Task end, CancellationToken token)
        {
            _phase = phase;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
            var running = Task.WhenAll(clients.SkipLast(1).Select(client => RunAsync(client, stop.Token)));
            await end;
            await stop.CancelAsync();
            await running;
            _changes.Enqueue($"{phase} until {_elapsed.Elapsed.TotalSeconds:F0} s");
        }

        public Task DuringAsync(string phase, IEnumerable<OnionClient> clients, TimeSpan time, CancellationToken token) =>
            DuringAsync(phase, clients, Task.Delay(time, token), token);

        /// <summary>Until it is cancelled.</summary>
        public async Task RunAsync(OnionClient client, CancellationToken token)
        {
            try
            {
                await using var control = await client.ConnectAsync(token);
                using var source = await DescriptorSource.OpenAsync(control, TimeSpan.FromSeconds(30), TimeProvider.System, token);
                while (true)
                {
                    await OnceAsync(client, source, token);
                    await Task.Delay(1500, token);
                }
            }
            catch (OperationCanceledException) when (token.IsCancellationRequested)
            {
                // Its time is over.
            }
        }

        private async Task OnceAsync(OnionClient client, DescriptorSource source, CancellationToken token)
        {
            var (consensus, schedule) = await ReadAsync(source, token);
            if (consensus is not null && schedule is not null)
            {
                if (Periods.TryAdd(schedule.Current.Number, _elapsed.Elapsed.TotalSeconds))
                    _changes.Enqueue($"period {schedule.Current.Number} from {_elapsed.Elapsed.TotalSeconds:F0} s");
                string random = consensus.CurrentSharedRandom?.ToString() ?? "none";
                if (SharedRandoms.TryAdd(random, _elapsed.Elapsed.TotalSeconds))
                    _changes.Enqueue($"shared random value {random[..4]} from {_elapsed.Elapsed.TotalSeconds:F0} s");
            }

            // Of a directory that tor picks, which is what its own clients do.
            var fetched = await source.FetchAsync(address, null, token);
            Interlocked.Increment(ref _fetches);

            // What it asked for in one time period and gets in the next tor takes for another service's, and asks elsewhere by itself when
            // a client waits for it (hs_client_decode_descriptor goes by the period of the moment).
            if (fetched.Failure == "BAD_DESC" && (await ReadAsync(source, token)).Schedule?.Current != schedule?.Current)
            {
                _changes.Enqueue($"fetched again at {_elapsed.Elapsed.TotalSeconds:F0} s (BAD_DESC at the change of periods)");
                fetched = await source.FetchAsync(address, null, token);
                Interlocked.Increment(ref _fetches);
            }

            if (fetched.Directory is { } directory)
                Directories.AddOrUpdate(directory, 1, static (_, count) => count + 1);
            if (fetched.Text is null)
                Fail($"fetch from {fetched.Directory}: {fetched.Failure}");

            // A tor that goes over to the next time period at this very moment may drop what it was about.
            var (instance, failure) = await client.RequestAsync(address, token);
            if (instance is null)
            {
                _changes.Enqueue($"again at {_elapsed.Elapsed.TotalSeconds:F0} s ({failure})");
                (instance, failure) = await client.RequestAsync(address, token);
            }

            Interlocked.Increment(ref _requests);
            _phases.AddOrUpdate(_phase, 1, static (_, count) => count + 1);
            if (instance is null)
                Fail($"request: {failure}");
        }

        private static async Task<(NetworkConsensus? Consensus, PeriodSchedule? Schedule)> ReadAsync(
            DescriptorSource source, CancellationToken token)
        {
            var (consensus, isTesting, _) = await source.ReadNetworkAsync(token);
            return (consensus, consensus is null ? null : new PeriodSchedule(consensus, isTesting));
        }

        private void Fail(string what) => _failures.Enqueue($"{_elapsed.Elapsed.TotalSeconds:F0} s, {_phase}: {what}");

        public override string ToString() =>
            $"{_fetches} fetches from {Directories.Count} directories, {_requests} requests ({string.Join(", ", _phases)}), "
                + $"{_failures.Count} failures; {string.Join(", ", _changes)}\n{string.Join('\n', _failures.Take(30))}";
    }
}
