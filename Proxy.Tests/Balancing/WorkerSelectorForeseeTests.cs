using System.Net;
using TorBalancer.Balancing;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Balancing;

/// <summary>What is foreseen against what the next selection then does.</summary>
public sealed class WorkerSelectorForeseeTests
{
    private const int Cases = 1000, Draws = 10_000;

    private static readonly string[] Modes = [.. SelectionPolicyNames.All];

    [TestCaseSource(nameof(Modes))]
    public void Next_selection_is_the_one_that_was_foreseen(string mode)
    {
        var random = new Random(StableSeed(mode));
        int certain = 0, chance = 0, none = 0, lastResort = 0, fresh = 0, passed = 0;
        for (int i = 0; i < Cases; i++)
        {
            var world = new World(random, mode);
            var forecast = world.Selector.Foresee(world.Request, world.Tried);
            var again = world.Selector.Foresee(world.Request, world.Tried);
            Assert.That(
                again.Candidates.Select(static one => one.Odds), Is.EqualTo(forecast.Candidates.Select(static one => one.Odds)),
                "asking has changed nothing");
            var (lease, error) = world.Selector.Select(world.Request, world.Tried);
            Assert.That(error, Is.EqualTo(forecast.Error), $"case {i}");
            Assert.That(forecast.Candidates.Select(static one => one.Worker), Is.EqualTo(world.Pool.Snapshot.All));
            Assert.That(
                forecast.Candidates.Where(static one => !one.IsEligible).Select(static one => one.Odds), Is.All.Zero, $"case {i}");
            Assert.That(forecast.Candidates.Select(static one => one.Why), Is.All.Not.Empty);
            lastResort += forecast.IsLastResort ? 1 : 0;
            fresh += world.Request.IsFresh ? 1 : 0;
            passed += forecast.Candidates.Any(static one => one.Why.StartsWith("passed over", StringComparison.Ordinal)) ? 1 : 0;
            if (lease is null)
            {
                none++;
                Assert.That(forecast.Candidates.Sum(static one => one.Odds), Is.Zero);
                continue;
            }

            Assert.That(forecast.Candidates.Sum(static one => one.Odds), Is.EqualTo(1).Within(1e-9));
            var odds = forecast.Candidates.Single(one => one.Worker == lease.Worker).Odds;
            Assert.That(odds, Is.GreaterThan(0), $"case {i}: {lease.Worker.Id} was not possible");
            if (forecast.Chosen is { } chosen)
            {
                certain++;
                Assert.That(lease.Worker, Is.EqualTo(chosen), $"case {i}");
            }
            else
            {
                chance++;
            }
        }

        TestContext.Progress.WriteLine(
            $"{mode}: {certain} certain, {chance} left to chance, {none} without a worker, {lastResort} last resort, "
            + $"{fresh} new identities, {passed} with somebody passed over");
        Assert.That(certain, Is.GreaterThan(100));
        Assert.That(none, Is.GreaterThan(5));
        if (mode is SelectionPolicyNames.Sticky or SelectionPolicyNames.Failover)
            Assert.That(chance, Is.Zero);
    }

    /// <summary>Seeds are fixed, so that it passes always or never; 3 sigma by the odds that were told.</summary>
    [TestCaseSource(nameof(Modes))]
    public void Shares_of_many_selections_are_the_odds(string mode)
    {
        // Loads and turns are put back behind every draw: the same question is asked each time.
        var random = new Random(StableSeed(mode) + 1);
        int compared = 0;
        for (int i = 0; i < 6; i++)
        {
            // One in which there is something to choose, where the mode throws dice.
            bool throws = mode is SelectionPolicyNames.Random or SelectionPolicyNames.PowerOfTwo or SelectionPolicyNames.Fastest;
            World world;
            SelectionForecast drawn;
            do
            {
                world = new World(random, mode);
                drawn = world.Selector.Foresee(world.Request, world.Tried);
            }
            while (drawn.Error.IsError || (throws && drawn.Chosen is not null));
            var counts = world.Pool.Snapshot.All.ToDictionary(static worker => worker, static _ => 0);
            var odds = new Dictionary<WorkerState, double>(counts.Keys.Select(static one => KeyValuePair.Create(one, 0.0)));
            for (int draw = 0; draw < Draws; draw++)
            {
                // Turns go round; what is expected is the sum of what was foreseen before each.
                if (draw == 0 || mode is SelectionPolicyNames.RoundRobin or SelectionPolicyNames.LeastConnections)
                {
                    foreach (var one in world.Selector.Foresee(world.Request, world.Tried).Candidates)
                        odds[one.Worker] = one.Odds;
                }

                foreach (var (worker, share) in odds)
                    world.Expected[worker] = world.Expected.GetValueOrDefault(worker) + share;
                foreach (var (worker, share) in odds)
                    world.Variance[worker] = world.Variance.GetValueOrDefault(worker) + (share * (1 - share));
                using var lease = world.Selector.Select(world.Request, world.Tried).Lease!;
                counts[lease.Worker]++;
                world.Refill();
            }

            foreach (var (worker, count) in counts)
            {
                double sigma = Math.Sqrt(world.Variance[worker]);
                Assert.That(count, Is.EqualTo(world.Expected[worker]).Within((3 * sigma) + 0.001), $"world {i}, {worker.Id}");
                compared++;
            }
        }

        TestContext.Progress.WriteLine($"{mode}: {compared} shares compared");
    }

    [Test]
    public void Hot_path_of_a_selection_allocates_the_lease_alone()
    {
        var pool = PoolOf.Workers(1, 2, 3, 4);
        var selector = SelectorOf.Pool(pool);
        foreach (string mode in Modes)
        {
            for (int i = 0; i < 100; i++)
                selector.Select(new SelectionRequest(mode, 1), []).Lease!.Dispose();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
                selector.Select(new SelectionRequest(mode, 1), []).Lease!.Dispose();
            Assert.That((GC.GetAllocatedBytesForCurrentThread() - before) / 1000, Is.LessThanOrEqualTo(32), mode);
        }
    }

    [Test]
    public void A_worker_that_leaves_is_said_to()
    {
        var pool = PoolOf.Equal(2);
        var leaves = pool.Find("w2")!;
        using var lease = leaves.Lease();
        pool.SetOperational(leaves, WorkerOperationalState.Suspect, "of no interest any more");
        pool.Apply([pool.Find("w1")!.Model]);
        var selector = SelectorOf.Pool(pool);
        foreach (string? pinned in (string?[])[null, "w2"])
        {
            var forecast = selector.Foresee(new SelectionRequest(SelectionPolicyNames.RoundRobin, 0, pinned));
            var candidate = forecast.Candidates.Single(one => one.Worker == leaves);
            Assert.That((candidate.IsEligible, candidate.Why), Is.EqualTo((false, "leaving")));
        }
    }

    private static int StableSeed(string mode) => (int)(StableHash.Of(mode) & 0xffff);

    /// <summary>A random pool with everything that a selection may depend on, and a random request.</summary>
    private sealed class World
    {
        private static readonly string[] Countries = ["de", "us", ""];
        private readonly Dictionary<WorkerState, Circuits> _circuits = [];

        public World(Random random, string mode)
        {
            int count = random.Next(1, 7);
            Pool.Apply(
            [
                .. Enumerable.Range(1, count).Select(i => new WorkerModel(
                    $"w{i}", new IPEndPoint(IPAddress.Loopback, 10_000 + i), random.Next(3) == 0 ? random.Next(1, 9) : 1, Pick(Countries),
                    Link: random.Next(3) == 0 ? new WireGuardLink("wg0", IPAddress.Parse("10.201.1.1")) : null)),
            ]);
            bool passes = random.Next(3) == 0;
            Selector = SelectorOf.Pool(
                Pool, random.Next(), new SelectionOptions(passes ? TimeSpan.FromMinutes(1) : default, random.Next(2) == 0), Time);
            Time.Advance(TimeSpan.FromHours(1));
            bool allDown = random.Next(12) == 0;
            foreach (var worker in Pool.Snapshot.All)
            {
                var down = random.Next(2) == 0 ? WorkerOperationalState.Dead : WorkerOperationalState.Recovery;
                if (allDown || random.Next(6) == 0)
                    Pool.SetOperational(worker, down, "test");
                else if (random.Next(6) == 0)
                    Pool.SetOperational(worker, WorkerOperationalState.Suspect, "");
                if (random.Next(8) == 0)
                    Pool.SetAdministrative(worker, WorkerAdministrativeState.Draining);
                if (random.Next(5) == 0)
                {
                    worker.BeginRamp(Time, TimeSpan.FromSeconds(100));
                }

                if (random.Next(2) == 0)
                {
                    var circuits = new Circuits { Left = random.Next(2) * 2 };
                    circuits.Start = circuits.Left;
                    worker.Warm = circuits;
                    _circuits.Add(worker, circuits);
                }

                if (random.Next(2) == 0)
                    worker.ObserveConnectTime(TimeSpan.FromMilliseconds(random.Next(50, 2000)));
                if (passes && random.Next(3) == 0)
                    Selector.PassOver(worker);
                for (int i = random.Next(4); i > 0; i--)
                    worker.Lease();
            }

            Time.Advance(TimeSpan.FromSeconds(random.Next(1, 50)));
            Tried = [.. Pool.Snapshot.All.Where(_ => random.Next(8) == 0)];
            Request = new SelectionRequest(
                mode, (ulong)random.NextInt64(),
                random.Next(15) == 0 ? $"w{random.Next(1, 8)}" : null,
                random.Next(6) == 0 ? Countries[random.Next(2)] : null,
                random.Next(8) == 0 ? LinkFamilies.IPv4 : LinkFamilies.None,
                WorkerSelector.LeavesChoice(mode) && random.Next(2) == 0);

            // Turns are somewhere in the middle.
            for (int i = random.Next(7); i > 0; i--)
                Selector.Select(Request, Tried).Lease?.Dispose();
            Refill();

            string Pick(string[] words) => words[random.Next(words.Length)];
        }

        public WorkerPool Pool { get; } = new();

        public ManualTimeProvider Time { get; } = new();

        public WorkerSelector Selector { get; }

        public SelectionRequest Request { get; }

        public WorkerState[] Tried { get; }

        public Dictionary<WorkerState, double> Expected { get; } = [];

        public Dictionary<WorkerState, double> Variance { get; } = [];

        /// <summary>Clean circuits are as many as at the start.</summary>
        public void Refill()
        {
            foreach (var circuits in _circuits.Values)
                circuits.Left = circuits.Start;
        }
    }

    private sealed class Circuits : IWarmCircuits
    {
        public int Left { get; set; }

        public int Start { get; set; }

        public int? Clean => Left;

        public void Claim() => Left = Math.Max(0, Left - 1);

        public void Missed()
        {
        }

        public IDisposable? ExpectSuccessor(TimeSpan within) => null;
    }
}
