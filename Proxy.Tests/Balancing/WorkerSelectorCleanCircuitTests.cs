using TorBalancer.Balancing;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

public sealed class WorkerSelectorCleanCircuitTests
{
    [TestCase(SelectionPolicyNames.Random)]
    [TestCase(SelectionPolicyNames.LeastConnections)]
    [TestCase(SelectionPolicyNames.PowerOfTwo)]
    [TestCase(SelectionPolicyNames.Fastest)]
    public void New_identity_goes_where_a_clean_circuit_is_and_others_hear_of_their_turn(string mode)
    {
        var (selector, circuits) = Pool(w3: 1000);
        for (int i = 0; i < 100; i++)
        {
            using var lease = selector.Select(new SelectionRequest(mode, 0, IsFresh: true), []).Lease!;
            Assert.That(lease.Worker.Id, Is.EqualTo("w3"));
        }

        Assert.That(circuits.Values.Sum(static one => one.MissedTurns), Is.InRange(50, 100), "three of four turns were others'");
        Assert.That(circuits["w3"].MissedTurns, Is.Zero);
        Assert.That(circuits["w3"].Left, Is.EqualTo(900), "each has taken one");
    }

    [TestCase(SelectionPolicyNames.Random)]
    [TestCase(SelectionPolicyNames.LeastConnections)]
    [TestCase(SelectionPolicyNames.PowerOfTwo)]
    [TestCase(SelectionPolicyNames.Fastest)]
    public void Known_identity_and_a_pool_without_clean_circuits_go_as_the_mode_says(string mode)
    {
        var (selector, circuits) = Pool(w3: 1000);
        Assert.That(Picked(selector, mode, isFresh: false), Has.Count.EqualTo(4));
        circuits["w3"].Left = 0;
        Assert.That(Picked(selector, mode, isFresh: true), Has.Count.EqualTo(4));
        Assert.That(circuits.Values.Sum(static one => one.MissedTurns), Is.Zero, "nobody was passed over");
    }

    [TestCase(SelectionPolicyNames.RoundRobin)]
    [TestCase(SelectionPolicyNames.Sticky)]
    [TestCase(SelectionPolicyNames.Failover)]
    public void Modes_that_promise_a_certain_worker_keep_their_promise(string mode)
    {
        var (with, _) = Pool(w3: 1000);
        var (without, _) = Pool(w3: 0);
        for (ulong key = 0; key < 40; key++)
        {
            using var one = with.Select(new SelectionRequest(mode, key, IsFresh: true), []).Lease!;
            using var other = without.Select(new SelectionRequest(mode, key), []).Lease!;
            Assert.That(one.Worker.Id, Is.EqualTo(other.Worker.Id));
        }
    }

    [Test]
    public void Worker_that_was_tried_is_not_picked_for_its_clean_circuit()
    {
        var pool = PoolOf.Equal(4);
        var selector = SelectorOf.Pool(pool);
        foreach (var worker in pool.Snapshot.All)
            worker.Warm = new Circuits { Left = worker.Id == "w3" ? 5 : 0 };
        for (int i = 0; i < 40; i++)
        {
            using var lease = selector.Select(
                new SelectionRequest(SelectionPolicyNames.Random, 0, IsFresh: true), [pool.Find("w3")!]).Lease!;
            Assert.That(lease.Worker.Id, Is.Not.EqualTo("w3"));
        }
    }

    [Test]
    public void Worker_of_which_nothing_is_known_keeps_its_turn()
    {
        var (selector, circuits) = Pool(w3: 1000);
        circuits["w1"].IsKnown = false;
        Assert.That(Picked(selector, SelectionPolicyNames.Random, isFresh: true), Is.EquivalentTo(new[] { "w1", "w3" }));
    }

    [Test]
    public void Picking_for_a_new_identity_allocates_only_its_lease()
    {
        var (selector, _) = Pool(w3: 100_000);
        for (int i = 0; i < 1000; i++)
            selector.Select(new SelectionRequest(SelectionPolicyNames.PowerOfTwo, 0, IsFresh: i % 2 == 0), []).Lease!.Dispose();
        long plain = Allocated(isFresh: false), fresh = Allocated(isFresh: true);
        Assert.That(fresh, Is.LessThanOrEqualTo(plain));

        long Allocated(bool isFresh)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
                selector.Select(new SelectionRequest(SelectionPolicyNames.PowerOfTwo, 0, IsFresh: isFresh), []).Lease!.Dispose();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static (WorkerSelector Selector, Dictionary<string, Circuits> Circuits) Pool(int w3)
    {
        var pool = PoolOf.Equal(4);
        var circuits = new Dictionary<string, Circuits>();
        foreach (var worker in pool.Snapshot.All)
        {
            circuits.Add(worker.Id, new Circuits { Left = worker.Id == "w3" ? w3 : 0 });
            worker.Warm = circuits[worker.Id];
        }

        return (SelectorOf.Pool(pool), circuits);
    }

    private static HashSet<string> Picked(WorkerSelector selector, string mode, bool isFresh)
    {
        var picked = new HashSet<string>();
        for (int i = 0; i < 200; i++)
        {
            using var lease = selector.Select(new SelectionRequest(mode, 0, IsFresh: isFresh), []).Lease!;
            picked.Add(lease.Worker.Id);
        }

        return picked;
    }

    private sealed class Circuits : IWarmCircuits
    {
        public int Left { get; set; }

        public bool IsKnown { get; set; } = true;

        public int MissedTurns { get; private set; }

        public int? Clean => IsKnown ? Left : null;

        public void Claim() => Left--;

        public void Missed() => MissedTurns++;

        public IDisposable? ExpectSuccessor(TimeSpan within) => null;
    }
}
