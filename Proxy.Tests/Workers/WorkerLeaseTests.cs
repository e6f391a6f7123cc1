using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Workers;

/// <summary>Whatever happens in whatever order: a lease is given back exactly once, and no counter is ever negative.</summary>
public class WorkerLeaseTests
{
    private const int Sequences = 100_000;
    private const int Steps = 24;

    private static readonly string[] Ids = ["w1", "w2", "w3", "w4"];

    [Test]
    public void Random_sequences_give_every_lease_back_exactly_once()
    {
        var random = new Random(20261121);
        for (int sequence = 0; sequence < Sequences; sequence++)
        {
            var bench = new Bench(random);
            for (int step = 0; step < Steps; step++)
                bench.Step(sequence);
            bench.End(sequence);
        }
    }

    [Test]
    public void Lease_that_many_threads_dispose_at_once_is_given_back_once()
    {
        var worker = new WorkerState(new WorkerModel("w1", new IPEndPoint(IPAddress.Loopback, 1)));
        using var kept = worker.Lease();
        for (int i = 0; i < 2000; i++)
        {
            var lease = worker.Lease();
            Parallel.For(0, 4, _ => lease.Dispose());
            Assert.That(worker.Active, Is.EqualTo(1));
        }
    }

    /// <summary>A pool, and beside it what its counters must be.</summary>
    private sealed class Bench
    {
        private readonly Random _random;
        private readonly WorkerPool _pool = new();
        private readonly WorkerSelector _selector;
        private readonly List<WorkerLease> _held = [];
        private readonly List<WorkerLease> _returned = [];
        private readonly Dictionary<WorkerState, (int Active, long Total)> _expected = [];

        public Bench(Random random)
        {
            _random = random;
            _selector = SelectorOf.Pool(
                _pool, options: new SelectionOptions(TimeSpan.FromSeconds(1), TryAllWhenNoneIsEligible: random.Next(2) == 0));
            Reload();
        }

        public void Step(int sequence)
        {
            var workers = _pool.Snapshot.All;
            switch (_random.Next(12))
            {
                case 0:
                    Reload();
                    break;
                case 1 when workers.Count > 0:
                    _pool.SetOperational(Any(workers), (WorkerOperationalState)_random.Next(4), "");
                    break;
                case 2 when workers.Count > 0:
                    _pool.SetAdministrative(Any(workers), (WorkerAdministrativeState)_random.Next(2));
                    break;
                case 3 when workers.Count > 0:
                    _selector.PassOver(Any(workers));
                    break;
                case 4 when _returned.Count > 0:
                    Any(_returned).Dispose();
                    break;
                case 5 or 6 or 7 when _held.Count > 0:
                    GiveBack(_random.Next(_held.Count));
                    break;
                default:
                    Take();
                    break;
            }

            Check(sequence);
        }

        public void End(int sequence)
        {
            while (_held.Count > 0)
                GiveBack(_held.Count - 1);
            foreach (var lease in _returned)
                lease.Dispose();
            Check(sequence);
        }

        private void Take()
        {
            // As retries do: those that are held by this connection are named as tried.
            var tried = _held.TakeLast(_random.Next(3)).Select(static lease => lease.Worker).ToArray();
            string mode = Any(SelectionPolicyNames.All);
            string? pinned = _random.Next(8) == 0 ? Any(Ids) : null;
            var (lease, error) = _selector.Select(new SelectionRequest(mode, (ulong)_random.NextInt64(), pinned), tried);
            if (lease is null)
            {
                if (!error.IsError)
                    Assert.Fail("neither a lease nor an error");
                return;
            }

            _held.Add(lease);
            var (active, total) = _expected.GetValueOrDefault(lease.Worker);
            _expected[lease.Worker] = (active + 1, total + 1);
        }

        private void GiveBack(int index)
        {
            var lease = _held[index];
            _held.RemoveAt(index);
            _returned.Add(lease);
            lease.Dispose();
            var (active, total) = _expected[lease.Worker];
            _expected[lease.Worker] = (active - 1, total);
        }

        /// <summary>Some of the workers, in this order; one that is gone and comes back is another one.</summary>
        private void Reload() => _pool.Apply(
            [
                .. Ids.Where(_ => _random.Next(4) > 0)
                    .Select(id => new WorkerModel(id, new IPEndPoint(IPAddress.Loopback, 1 + _random.Next(9)), 1 + _random.Next(3))),
            ]);

        private void Check(int sequence)
        {
            foreach (var (worker, (active, total)) in _expected)
            {
                // Assert.That for each would take most of the time.
                if (worker.Active != active || worker.TotalConnections != total || worker.Active < 0)
                    Assert.Fail(
                        $"sequence {sequence}: {worker.Id} has {worker.Active} of {active} leases, {worker.TotalConnections} of {total} "
                            + $"in all");
            }
        }

        private T Any<T>(IReadOnlyList<T> list) => list[_random.Next(list.Count)];
    }
}
