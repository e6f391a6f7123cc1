using TorBalancer.Balancing;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

public class RoundRobinSelectionPolicyTests
{
    [Test]
    public void Pick_rotates_strictly_in_the_order_of_the_file()
    {
        var pool = PoolOf.Equal(4);
        var policy = new RoundRobinSelectionPolicy();
        Assert.That(Picks(policy, pool, 9), Is.EqualTo("w1 w2 w3 w4 w1 w2 w3 w4 w1"));
    }

    [Test]
    public void Pick_when_a_worker_leaves_and_returns_stays_fair()
    {
        var pool = PoolOf.Equal(4);
        var policy = new RoundRobinSelectionPolicy();
        Assert.That(Picks(policy, pool, 2), Is.EqualTo("w1 w2"));
        pool.SetEligible("w3", false);
        Assert.That(Picks(policy, pool, 6), Is.EqualTo("w4 w1 w2 w4 w1 w2"));
        pool.SetEligible("w3", true);
        Assert.That(Picks(policy, pool, 4), Is.EqualTo("w3 w4 w1 w2"));
    }

    [Test]
    public void Pick_for_a_country_does_not_disturb_the_rotation_of_all_others()
    {
        var pool = new WorkerPool();
        pool.Apply([.. Enumerable.Range(1, 3).Select(static i => new WorkerModel(
            $"w{i}", new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 10_000 + i), Country: i == 3 ? "de" : "fr"))]);
        var policy = new RoundRobinSelectionPolicy();
        var open = new List<string>();
        for (int i = 0; i < 6; i++)
        {
            open.Add(policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id);
            Assert.That(policy.Pick(pool.Snapshot, new SelectionContext(0, default, "de"))!.Id, Is.EqualTo("w3"));
        }

        Assert.That(open, Is.EqualTo(new[] { "w1", "w2", "w3", "w1", "w2", "w3" }));
    }

    [Test]
    public void Pick_spreads_weighted_turns_evenly()
    {
        var pool = PoolOf.Workers(4, 2, 2);
        string round = Picks(new RoundRobinSelectionPolicy(), pool, 4);
        Assert.That(round.Split(' ').Order(), Is.EqualTo(new[] { "w1", "w1", "w2", "w3" }));
        Assert.That(round, Does.Not.Contain("w1 w1"), "turns of one worker are apart");
    }

    [Test]
    public void Pick_from_many_threads_gives_every_turn_exactly_once()
    {
        const int workers = 5, perThread = 10_000, threads = 4;
        var pool = PoolOf.Equal(workers);
        var policy = new RoundRobinSelectionPolicy();
        var counts = new int[workers];
        var running = Enumerable.Range(0, threads).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < perThread; i++)
                Interlocked.Increment(ref counts[policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id[1] - '1']);
        })).ToList();
        running.ForEach(static thread => thread.Start());
        running.ForEach(static thread => thread.Join());
        Assert.That(counts, Is.All.EqualTo(perThread * threads / workers));
    }

    [Test]
    public void Pick_after_reload_uses_the_new_set()
    {
        var pool = PoolOf.Equal(3);
        var policy = new RoundRobinSelectionPolicy();
        Picks(policy, pool, 2);
        pool.Apply([.. pool.Snapshot.All.Select(static w => w.Model), new WorkerModel("w4", pool.Snapshot.All[0].Model.SocksEndPoint)]);
        Assert.That(Picks(policy, pool, 8).Split(' ').GroupBy(static id => id).Select(static g => g.Count()), Is.All.EqualTo(2));
    }

    [Test]
    public void Pick_skips_the_tried_and_gives_null_when_all_were()
    {
        var pool = PoolOf.Equal(2);
        var policy = new RoundRobinSelectionPolicy();
        var all = pool.Snapshot.All.ToArray();
        Assert.That(policy.Pick(pool.Snapshot, new SelectionContext(0, all.AsSpan(0, 1)))!.Id, Is.EqualTo("w2"));
        Assert.That(policy.Pick(pool.Snapshot, new SelectionContext(0, all)), Is.Null);
    }

    private static string Picks(RoundRobinSelectionPolicy policy, WorkerPool pool, int count) =>
        string.Join(' ', Enumerable.Range(0, count).Select(_ => policy.Pick(pool.Snapshot, new SelectionContext(0))!.Id));
}
