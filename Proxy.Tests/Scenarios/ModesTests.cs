using TorBalancer.Balancing;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>200 requests over four real workers, as each mode promises; seen from the access log's word for who carried each.</summary>
public sealed class ModesTests : ScenarioFixture
{
    private const int Requests = 200;

    // As many at one time; so that modes that count have something to count.
    private const int Clients = 8;

    [Test, CancelAfter(120_000)]
    public async Task Round_robin_gives_each_the_same_number(CancellationToken token)
    {
        var carried = await CarryAsync(SelectionPolicyNames.RoundRobin, static _ => null, token);
        Assert.That(carried.CountBy(static one => one.Worker).Select(static pair => pair.Value), Is.EqualTo(new[] { 50, 50, 50, 50 }));
    }

    [Test, CancelAfter(120_000)]
    public async Task Failover_uses_the_first_only(CancellationToken token)
    {
        var carried = await CarryAsync(SelectionPolicyNames.Failover, static _ => null, token);
        Assert.That(carried.Select(static one => one.Worker).Distinct(), Is.EqualTo(new[] { "worker-01" }));
    }

    [Test, CancelAfter(120_000)]
    public async Task Sticky_keeps_every_user_on_one_worker_and_spreads_users(CancellationToken token)
    {
        var carried = await CarryAsync(SelectionPolicyNames.Sticky, static i => $"anna.{i % 20}", token);
        var byUser = carried.GroupBy(static one => one.User)
            .ToDictionary(static g => g.Key!, static g => g.Select(static one => one.Worker).Distinct().ToArray());
        Assert.That(byUser, Has.Count.EqualTo(20));
        Assert.That(byUser.Values, Is.All.Length.EqualTo(1));
        Assert.That(byUser.Values.SelectMany(static workers => workers).Distinct().Count(), Is.GreaterThan(1));
    }

    [TestCase(SelectionPolicyNames.Random)]
    [TestCase(SelectionPolicyNames.LeastConnections)]
    [TestCase(SelectionPolicyNames.PowerOfTwo)]
    [TestCase(SelectionPolicyNames.Fastest)]
    [CancelAfter(120_000)]
    public async Task Every_worker_is_used(string mode, CancellationToken token)
    {
        var carried = await CarryAsync(mode, static _ => null, token);
        Assert.That(carried.Select(static one => one.Worker).Distinct().Count(), Is.EqualTo(4));
    }

    [Test, CancelAfter(120_000)]
    public async Task Mode_in_the_user_name_wins_over_the_pool_s(CancellationToken token)
    {
        var carried = await CarryAsync(SelectionPolicyNames.RoundRobin, static _ => "worker-worker-03", token);
        Assert.That(carried.Select(static one => one.Worker).Distinct(), Is.EqualTo(new[] { "worker-03" }));
    }

    /// <summary>Every request once, through a proxy in that mode; the user name of each may differ.</summary>
    private async Task<List<(string? User, string Worker)>> CarryAsync(string mode, Func<int, string?> user, CancellationToken token)
    {
        await using var proxy = await StartProxyAsync(options => options.Balancing.Mode = mode);
        var targets = new string?[Requests];
        var atATime = new ParallelOptions { MaxDegreeOfParallelism = Clients, CancellationToken = token };
        await Parallel.ForEachAsync(Enumerable.Range(0, Requests), atATime, async (i, stop) =>
        {
            // The name says which request it is; below .test any name leads to the echo server.
            targets[i] = user(i);
            await using var stream = await proxy.ConnectAsync();
            var reply = await SocksClient.RequestAsync(
                stream, $"r{i}.test", Network.EchoPort, stop, targets[i], targets[i] is null ? null : "x");
            Assert.That(reply[1], Is.Zero);
            await stream.WriteAsync("ping"u8.ToArray(), stop);
            Assert.That(await SocksClient.ReadAsync(stream, 4, stop), Is.EqualTo("ping"u8.ToArray()));
        });

        var entries = await proxy.Log.WaitForConnectionsAsync(Requests, token);
        Assert.That(entries.Select(static entry => AccessEntry.Field(entry, "attempts")), Is.All.EqualTo("1"));
        Assert.That(proxy.Pool.Snapshot.All.Sum(static worker => worker.TotalConnections), Is.EqualTo(Requests));
        return entries.Select(entry => (targets[RequestOf(entry)], AccessEntry.Worker(entry))).ToList();
    }

    /// <summary>r17.test:5000 was request 17.</summary>
    private static int RequestOf(LogEntry entry) =>
        int.Parse(AccessEntry.Field(entry, "target").Split('.')[0][1..], System.Globalization.CultureInfo.InvariantCulture);
}
