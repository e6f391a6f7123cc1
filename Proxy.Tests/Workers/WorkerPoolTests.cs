using System.Net;
using TorBalancer.Tests.Balancing;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Workers;

public class WorkerPoolTests
{
    [Test]
    public void Lease_is_given_back_exactly_once_however_often_it_is_disposed()
    {
        var worker = PoolOf.Equal(1).Find("w1")!;
        var first = worker.Lease();
        var second = worker.Lease();
        Assert.That(worker.Active, Is.EqualTo(2));
        first.Dispose();
        first.Dispose();
        Assert.That(worker.Active, Is.EqualTo(1));
        second.Dispose();
        Assert.That(worker.Active, Is.Zero);
        Assert.That(worker.TotalConnections, Is.EqualTo(2));
    }

    [Test]
    public void Apply_keeps_the_state_of_workers_that_stay()
    {
        var pool = PoolOf.Equal(2);
        var kept = pool.Find("w1")!;
        using var lease = kept.Lease();
        pool.SetAdministrative(kept, WorkerAdministrativeState.Draining);
        pool.Apply(
            [
                new WorkerModel("w3", new IPEndPoint(IPAddress.Loopback, 1)),
                new WorkerModel("W1", new IPEndPoint(IPAddress.Loopback, 2), 7),
            ]);
        var after = pool.Find("w1")!;
        Assert.Multiple(() =>
        {
            Assert.That(after, Is.SameAs(kept));
            Assert.That(after.Model.Weight, Is.EqualTo(7));
            Assert.That(after.Active, Is.EqualTo(1));
            Assert.That(after.Administrative, Is.EqualTo(WorkerAdministrativeState.Draining));
            Assert.That(pool.Find("w2"), Is.Null);
            Assert.That(pool.Snapshot.EligibleWorkers.Select(static w => w.Id), Is.EqualTo(new[] { "w3" }));
        });
    }

    [Test]
    public void Apply_tells_who_came_and_who_went()
    {
        var pool = PoolOf.Equal(3);
        var (stays, leaves, goes) = (pool.Find("w1")!, pool.Find("w2")!, pool.Find("w3")!);
        using var lease = leaves.Lease();
        var added = new WorkerModel("w4", new IPEndPoint(IPAddress.Loopback, 1));

        var change = pool.Apply([stays.Model, added]);
        Assert.That(change.Added, Is.EqualTo(new[] { pool.Find("w4") }));
        Assert.That(change.Leaving, Is.EqualTo(new[] { leaves }));
        Assert.That(change.Gone, Is.EqualTo(new[] { goes }));

        change = pool.Apply([stays.Model, added]);
        Assert.That(change.Added.Concat(change.Leaving).Concat(change.Gone), Is.Empty, "it leaves already");
        change = pool.Apply([stays.Model, added, leaves.Model]);
        Assert.That(change.Added, Is.EqualTo(new[] { leaves }));
        pool.Apply([stays.Model, added]);
        lease.Dispose();
        Assert.That(pool.Apply([stays.Model, added]).Gone, Is.EqualTo(new[] { leaves }));
    }

    [TestCase(WorkerOperationalState.Healthy, WorkerAdministrativeState.Enabled, true)]
    [TestCase(WorkerOperationalState.Suspect, WorkerAdministrativeState.Enabled, true)]
    [TestCase(WorkerOperationalState.Dead, WorkerAdministrativeState.Enabled, false)]
    [TestCase(WorkerOperationalState.Recovery, WorkerAdministrativeState.Enabled, false)]
    [TestCase(WorkerOperationalState.Healthy, WorkerAdministrativeState.Draining, false)]
    [TestCase(WorkerOperationalState.Suspect, WorkerAdministrativeState.Draining, false)]
    public void Eligible_is_derived_from_both_states(
        WorkerOperationalState operational, WorkerAdministrativeState administrative, bool eligible)
    {
        var pool = PoolOf.Equal(1);
        pool.SetOperational(pool.Find("w1")!, operational, "");
        pool.SetAdministrative(pool.Find("w1")!, administrative);
        Assert.That(pool.Snapshot.EligibleWorkers, Has.Length.EqualTo(eligible ? 1 : 0));
    }

    [Test]
    public void A_worker_that_leaves_is_brought_back_by_the_configuration_alone()
    {
        var pool = PoolOf.Equal(2);
        var (stays, leaves) = (pool.Find("w1")!, pool.Find("w2")!);
        using var lease = leaves.Lease();
        pool.SetAdministrative(leaves, WorkerAdministrativeState.Draining);
        pool.Apply([stays.Model]);
        foreach (var said in (WorkerAdministrativeState[])[WorkerAdministrativeState.Enabled, WorkerAdministrativeState.Draining])
        {
            Assert.That(pool.SetAdministrative(leaves, said), Is.False);
            Assert.That(leaves.Administrative, Is.EqualTo(WorkerAdministrativeState.Leaving));
        }

        pool.Apply([stays.Model, leaves.Model]);
        Assert.That(pool.Find("w2"), Is.SameAs(leaves));
        Assert.That(leaves.Administrative, Is.EqualTo(WorkerAdministrativeState.Enabled));
    }

    [Test]
    public void Changed_completes_at_the_next_change_only()
    {
        var pool = PoolOf.Equal(1);
        var changed = pool.Changed;
        pool.SetOperational(pool.Find("w1")!, WorkerOperationalState.Healthy, "no change of state");
        Assert.That(changed.IsCompleted, Is.False);
        pool.SetOperational(pool.Find("w1")!, WorkerOperationalState.Dead, "");
        Assert.That(changed.IsCompleted, Is.True);
    }
}
