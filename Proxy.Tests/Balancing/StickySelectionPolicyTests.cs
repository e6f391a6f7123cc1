using TorBalancer.Balancing;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

public class StickySelectionPolicyTests
{
    private const int Keys = 20_000;

    private readonly StickySelectionPolicy _policy = new();

    [TestCase(2)]
    [TestCase(4)]
    [TestCase(10)]
    public void Pick_when_one_of_n_is_lost_moves_only_its_keys_and_they_come_back(int n)
    {
        var pool = PoolOf.Equal(n);
        var before = Map(pool);
        pool.SetEligible("w2", false);
        var during = Map(pool);
        pool.SetEligible("w2", true);
        var after = Map(pool);

        int moved = before.Zip(during).Count(static pair => pair.First != pair.Second);
        Assert.That(
            before.Zip(during).Where(static pair => pair.First != pair.Second).Select(static pair => pair.First), Is.All.EqualTo("w2"));
        Assert.That(moved, Is.EqualTo((double)Keys / n).Within(15).Percent);
        Assert.That(after, Is.EqualTo(before));
    }

    [Test]
    public void Pick_spreads_keys_by_weight()
    {
        var counts = Map(PoolOf.Workers(1, 2, 5)).CountBy(static id => id).ToDictionary();
        Assert.Multiple(() =>
        {
            Assert.That(counts["w1"], Is.EqualTo(Keys / 8.0).Within(10).Percent);
            Assert.That(counts["w2"], Is.EqualTo(Keys / 4.0).Within(10).Percent);
            Assert.That(counts["w3"], Is.EqualTo(Keys * 5 / 8.0).Within(10).Percent);
        });
    }

    [Test]
    public void Pick_when_the_odd_weight_leaves_moves_only_its_keys()
    {
        // With w3 gone the rest have equal weights and the other formula is used; nobody else may move for that.
        var pool = PoolOf.Workers(2, 2, 5);
        var before = Map(pool);
        pool.SetEligible("w3", false);
        var during = Map(pool);
        Assert.That(before.Zip(during).Where(static p => p.First != p.Second).Select(static p => p.First), Is.All.EqualTo("w3"));
    }

    [Test]
    public void Pick_does_not_depend_on_the_order_of_the_file()
    {
        var pool = PoolOf.Equal(5);
        var before = Map(pool);
        pool.Apply([.. pool.Snapshot.All.Select(static w => w.Model).Reverse()]);
        Assert.That(Map(pool), Is.EqualTo(before));
    }

    [Test]
    public void Hash_of_a_text_is_the_same_in_every_process()
    {
        // Written down once; another value would move every sticky client at an upgrade.
        Assert.That(StableHash.Of("worker-01"), Is.EqualTo(StableHash.Of(new string("worker-01".ToCharArray()))));
        Assert.That(StableHash.Of(""), Is.EqualTo(StableHash.Mix(14695981039346656037)));
    }

    private List<string> Map(WorkerPool pool) =>
        [.. Enumerable.Range(0, Keys).Select(i => _policy.Pick(pool.Snapshot, new SelectionContext(StableHash.Of($"key-{i}")))!.Id)];
}
