using TorBalancer.Balancing;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

public class WorkerSelectorSlowStartTests
{
    [TestCase(SelectionPolicyNames.RoundRobin)]
    [TestCase(SelectionPolicyNames.Random)]
    public void A_worker_that_came_back_takes_a_growing_share(string mode)
    {
        var clock = new ManualTimeProvider();
        clock.Advance(TimeSpan.FromHours(1));
        var pool = PoolOf.Equal(4);
        var selector = SelectorOf.Pool(pool, 3, default, clock);
        pool.Find("w2")!.BeginRamp(clock, TimeSpan.FromSeconds(30));
        int atFirst = Share(selector, mode);
        clock.Advance(TimeSpan.FromSeconds(15));
        int halfway = Share(selector, mode);
        clock.Advance(TimeSpan.FromSeconds(15));
        int atLast = Share(selector, mode);
        Assert.That((double)atFirst, Is.EqualTo(100).Within(50), "a tenth of a quarter of 4000, and what comes round of it");
        Assert.That(halfway, Is.GreaterThan(atFirst * 3).And.LessThan(atLast));
        Assert.That((double)atLast, Is.EqualTo(1000).Within(100));
    }

    [Test]
    public void A_worker_that_came_back_takes_no_greater_share_for_being_the_only_one_with_clean_circuits()
    {
        var clock = new ManualTimeProvider();
        clock.Advance(TimeSpan.FromHours(1));
        var pool = PoolOf.Equal(4);
        foreach (var worker in pool.Snapshot.All)
            worker.Warm = new Circuits(worker.Id == "w2" ? 1000 : 0);
        var selector = SelectorOf.Pool(pool, 3, default, clock);
        pool.Find("w2")!.BeginRamp(clock, TimeSpan.FromSeconds(30));
        Assert.That(Share(selector, SelectionPolicyNames.Random, isFresh: true), Is.InRange(200, 700), "a tenth of 4000, and some");
    }

    [Test]
    public void A_sticky_key_stays_with_its_worker_while_that_starts_slowly()
    {
        var clock = new ManualTimeProvider();
        var pool = PoolOf.Equal(4);
        var selector = SelectorOf.Pool(pool, 3, default, clock);
        string home = selector.Select(new SelectionRequest(SelectionPolicyNames.Sticky, 42), []).Lease!.Worker.Id;
        pool.Find(home)!.BeginRamp(clock, TimeSpan.FromSeconds(30));
        for (int i = 0; i < 50; i++)
            Assert.That(selector.Select(new SelectionRequest(SelectionPolicyNames.Sticky, 42), []).Lease!.Worker.Id, Is.EqualTo(home));
    }

    private static int Share(WorkerSelector selector, string mode, bool isFresh = false)
    {
        int count = 0;
        for (int i = 0; i < 4000; i++)
        {
            using var lease = selector.Select(new SelectionRequest(mode, 0, IsFresh: isFresh), []).Lease!;
            if (lease.Worker.Id == "w2")
                count++;
        }

        return count;
    }

    private sealed class Circuits(int clean) : IWarmCircuits
    {
        public int? Clean => clean;

        public void Claim()
        {
        }

        public void Missed()
        {
        }

        public IDisposable? ExpectSuccessor(TimeSpan within) => null;
    }
}
