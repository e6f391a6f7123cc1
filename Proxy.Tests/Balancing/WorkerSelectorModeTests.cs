using TorBalancer.Balancing;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

public class WorkerSelectorModeTests
{
    [Test]
    public void Random_is_uniform_and_follows_weights()
    {
        const int picks = 40_000;
        var random = new RandomSelectionPolicy(new SeededRandom(7));
        var equal = Count(random, PoolOf.Equal(4), picks);
        Assert.That(equal.Values, Is.All.EqualTo(picks / 4).Within(5).Percent);
        var weighted = Count(random, PoolOf.Workers(1, 3), picks);
        Assert.That(weighted["w2"], Is.EqualTo(picks * 3 / 4).Within(5).Percent);
    }

    [Test]
    public void Random_never_takes_an_ineligible_or_tried_worker()
    {
        var pool = PoolOf.Equal(3);
        pool.SetEligible("w1", false);
        var tried = new[] { pool.Find("w2")! };
        var random = new RandomSelectionPolicy(new SeededRandom(1));
        for (int i = 0; i < 100; i++)
            Assert.That(random.Pick(pool.Snapshot, new SelectionContext(0, tried))!.Id, Is.EqualTo("w3"));
    }

    [Test, CancelAfter(60_000)]
    public void LeastConnections_stays_even_when_many_pick_at_once(CancellationToken token)
    {
        const int threads = 4, rounds = 2000;
        var pool = PoolOf.Equal(threads);
        var selector = SelectorOf.Pool(pool, 1);
        using var together = new Barrier(threads);
        int uneven = 0;
        var leases = new WorkerLease[threads];
        var running = Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                together.SignalAndWait(token);
                leases[i] = selector.Select(new SelectionRequest(SelectionPolicyNames.LeastConnections, 0), default).Lease!;
                together.SignalAndWait(token);
                if (i == 0)
                {
                    uneven += pool.Snapshot.All.Count(static worker => worker.Active != 1);
                    foreach (var lease in leases)
                        lease.Dispose();
                }
            }
        })).ToList();
        running.ForEach(static thread => thread.Start());
        running.ForEach(static thread => thread.Join());
        Assert.That(uneven, Is.Zero);
    }

    [Test]
    public void LeastConnections_counts_connections_from_the_lease_on_and_rotates_ties()
    {
        var pool = PoolOf.Equal(3);
        var selector = SelectorOf.Pool(pool, 1);
        var leases = Enumerable.Range(0, 9).Select(_ => Select(selector, SelectionPolicyNames.LeastConnections)).ToList();
        Assert.That(
            pool.Snapshot.All.Select(static w => w.Active), Is.All.EqualTo(3),
            "nine connections over three workers, none of them connected yet");

        foreach (var lease in leases.Where(static lease => lease.Worker.Id == "w2"))
            lease.Dispose();
        Assert.That(Select(selector, SelectionPolicyNames.LeastConnections).Worker.Id, Is.EqualTo("w2"));
    }

    [Test]
    public void LeastConnections_with_all_idle_rotates()
    {
        var pool = PoolOf.Equal(3);
        var policy = new LeastConnectionsSelectionPolicy();
        var picks = Enumerable.Range(0, 6).Select(_ => policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id).ToList();
        Assert.That(picks.Distinct().Count(), Is.EqualTo(3));
        Assert.That(picks.Take(3), Is.EqualTo(picks.Skip(3)));
    }

    [Test]
    public void LeastConnections_divides_by_weight()
    {
        var pool = PoolOf.Workers(1, 3);
        var selector = SelectorOf.Pool(pool, 1);
        for (int i = 0; i < 40; i++)
            Select(selector, SelectionPolicyNames.LeastConnections);
        Assert.That(pool.Find("w2")!.Active, Is.EqualTo(30).Within(1));
    }

    [Test]
    public void Failover_keeps_to_the_order_of_the_file_and_returns_to_the_primary()
    {
        var pool = PoolOf.Equal(3);
        var policy = new FailoverSelectionPolicy();
        string Pick() => policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id;
        Assert.That(Pick(), Is.EqualTo("w1"));
        pool.SetEligible("w1", false);
        Assert.That(Pick(), Is.EqualTo("w2"));
        pool.SetEligible("w2", false);
        Assert.That(Pick(), Is.EqualTo("w3"));
        pool.SetEligible("w1", true);
        Assert.That(Pick(), Is.EqualTo("w1"));
    }

    [Test]
    public void PowerOfTwo_takes_the_less_loaded_of_two_different_workers()
    {
        var pool = PoolOf.Equal(4);
        pool.Find("w1")!.Lease();

        // The pair (w1, w3): the second number is the index among the other three.
        Assert.That(
            new PowerOfTwoSelectionPolicy(new ScriptedRandom(0, 1)).Pick(pool.Snapshot, new SelectionContext(0))!.Id, Is.EqualTo("w3"));
        pool.Find("w3")!.Lease();
        pool.Find("w3")!.Lease();
        Assert.That(
            new PowerOfTwoSelectionPolicy(new ScriptedRandom(0, 1)).Pick(pool.Snapshot, new SelectionContext(0))!.Id, Is.EqualTo("w1"));
    }

    [Test]
    public void PowerOfTwo_never_compares_a_worker_with_itself()
    {
        var pool = PoolOf.Equal(2);
        pool.Find("w1")!.Lease();
        var policy = new PowerOfTwoSelectionPolicy(new SeededRandom(3));
        for (int i = 0; i < 200; i++)
            Assert.That(policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id, Is.EqualTo("w2"));
    }

    [Test]
    public void Fastest_prefers_short_connect_times_and_measures_the_unmeasured_first()
    {
        var pool = PoolOf.Equal(3);
        pool.Find("w1")!.ObserveConnectTime(TimeSpan.FromMilliseconds(500));
        pool.Find("w2")!.ObserveConnectTime(TimeSpan.FromMilliseconds(50));
        var policy = new FastestSelectionPolicy(new SeededRandom(5));
        var counts = Count(policy, pool, 3000);
        Assert.That(counts.GetValueOrDefault("w1"), Is.Zero, "w1 loses against both others");
        Assert.That(counts["w3"], Is.GreaterThan(counts["w2"]), "w3 was never measured");
    }

    [TestCaseSource(typeof(SelectionPolicyNames), nameof(SelectionPolicyNames.All))]
    public void Every_mode_with_nobody_eligible_says_so(string mode)
    {
        var pool = PoolOf.Equal(2);
        pool.SetEligible("w1", false);
        pool.SetEligible("w2", false);
        var (lease, error) = SelectorOf.Pool(pool, 1).Select(new SelectionRequest(mode, 1), []);
        Assert.That(lease, Is.Null);
        Assert.That(error.Cause, Is.EqualTo(FailureCause.NoWorkerAvailable));
    }

    [TestCaseSource(typeof(SelectionPolicyNames), nameof(SelectionPolicyNames.All))]
    public void Every_mode_tries_each_worker_once_when_told_what_was_tried(string mode)
    {
        var pool = PoolOf.Workers(1, 2, 3, 4);
        var selector = SelectorOf.Pool(pool, 11);
        var tried = new List<WorkerState>();
        for (int i = 0; i < 4; i++)
        {
            var (lease, _) = selector.Select(new SelectionRequest(mode, 42), tried.ToArray());
            tried.Add(lease!.Worker);
        }

        Assert.That(tried.Distinct().Count(), Is.EqualTo(4));
        Assert.That(selector.Select(new SelectionRequest(mode, 42), tried.ToArray()).Lease, Is.Null);
    }

    [TestCaseSource(typeof(SelectionPolicyNames), nameof(SelectionPolicyNames.All))]
    public void Every_mode_keeps_to_the_asked_country(string mode)
    {
        var pool = new WorkerPool();
        var at = new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 1);
        pool.Apply([new WorkerModel("a", at, 1, "se"), new WorkerModel("b", at, 1, "de"), new WorkerModel("c", at)]);
        var selector = SelectorOf.Pool(pool, 2);
        for (int i = 0; i < 20; i++)
            Assert.That(selector.Select(new SelectionRequest(mode, (ulong)i, Country: "de"), []).Lease!.Worker.Id, Is.EqualTo("b"));
        var notServed = selector.Select(new SelectionRequest(mode, 1, Country: "fr"), []).Error;
        Assert.That(notServed.Cause, Is.EqualTo(FailureCause.CountryNotServed));
        Assert.That(notServed.Detail, Does.Contain("in the country that was asked for; there are se, de"));

        // One that is down may come back; waiting for it is no mistake of the client's.
        pool.SetEligible("b", false);
        var down = selector.Select(new SelectionRequest(mode, 1, Country: "de"), []).Error;
        Assert.That((down.Cause, down.Detail), Is.EqualTo(
            (FailureCause.NoWorkerAvailable, "no available worker is of the country that was asked for")));
        pool.SetEligible("a", false);
        pool.SetEligible("c", false);
        Assert.That(
            selector.Select(new SelectionRequest(mode, 1, Country: "fr"), []).Error.Cause, Is.EqualTo(FailureCause.CountryNotServed));
    }

    [Test]
    public void A_pinned_worker_is_the_only_one_and_an_unknown_one_is_an_error()
    {
        var pool = PoolOf.Equal(3);
        var selector = SelectorOf.Pool(pool, 2);
        Assert.That(selector.Select(new SelectionRequest("round_robin", 0, "W2"), []).Lease!.Worker.Id, Is.EqualTo("w2"));
        Assert.That(
            selector.Select(new SelectionRequest("round_robin", 0, "w9"), []).Error.Cause, Is.EqualTo(FailureCause.BadUserParameters));
        pool.SetAdministrative(pool.Find("w2")!, WorkerAdministrativeState.Draining);
        Assert.That(
            selector.Select(new SelectionRequest("round_robin", 0, "w2"), []).Error.Cause, Is.EqualTo(FailureCause.NoWorkerAvailable));
    }

    private static WorkerLease Select(WorkerSelector selector, string mode) => selector.Select(new SelectionRequest(mode, 0), []).Lease!;

    private static Dictionary<string, int> Count(IWorkerSelectionPolicy policy, WorkerPool pool, int picks)
    {
        var counts = new Dictionary<string, int>();
        for (int i = 0; i < picks; i++)
        {
            string id = policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id;
            counts[id] = counts.GetValueOrDefault(id) + 1;
        }

        return counts;
    }
}
