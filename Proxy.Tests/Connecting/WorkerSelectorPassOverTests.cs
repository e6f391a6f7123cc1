using TorBalancer.Balancing;
using TorBalancer.Primitives;
using TorBalancer.Tests.Balancing;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

[CancelAfter(30_000)]
public class WorkerSelectorPassOverTests
{
    private static readonly SelectionOptions Options = new(TimeSpan.FromSeconds(2));

    [Test]
    public async Task A_worker_that_could_not_be_reached_is_passed_over_for_a_moment(CancellationToken token)
    {
        var clock = new ManualTimeProvider();
        clock.Advance(TimeSpan.FromHours(1));
        await using var fleet = await Fleet.StartAsync(4, selection: Options, time: clock);
        fleet.Workers[0].CloseAtOnce = true;
        for (int i = 0; i < 12; i++)
            await CloseAsync(await fleet.ConnectAsync("example.com", token));
        Assert.That(fleet.Workers[0].Accepted, Is.EqualTo(1), "asked once, then passed over");
        clock.Advance(TimeSpan.FromSeconds(3));
        for (int i = 0; i < 4; i++)
            await CloseAsync(await fleet.ConnectAsync("example.com", token));
        Assert.That(fleet.Workers[0].Accepted, Is.EqualTo(2), "asked again");
    }

    [Test]
    public void Nobody_is_passed_over_when_too_few_would_remain()
    {
        var clock = new ManualTimeProvider();
        clock.Advance(TimeSpan.FromHours(1));
        var pool = PoolOf.Equal(4);
        var selector = SelectorOf.Pool(pool, 1, Options, clock);
        selector.PassOver(pool.Find("w1")!);
        Assert.That(Used(selector), Is.EquivalentTo(new[] { "w2", "w3", "w4" }));
        selector.PassOver(pool.Find("w2")!);
        Assert.That(Used(selector), Is.EquivalentTo(new[] { "w1", "w2", "w3", "w4" }));
    }

    [TestCase(false, 0)]
    [TestCase(true, 2)]
    public void Panic_decides_what_happens_when_nobody_is_eligible(bool tryAll, int used)
    {
        var pool = PoolOf.Equal(3);
        foreach (var worker in pool.Snapshot.All)
            pool.SetOperational(worker, WorkerOperationalState.Dead, "");
        pool.SetAdministrative(pool.Find("w3")!, WorkerAdministrativeState.Draining);
        foreach (string mode in SelectionPolicyNames.All)
        {
            var selector = SelectorOf.Pool(pool, 1, new SelectionOptions(TryAllWhenNoneIsEligible: tryAll));
            var (lease, error) = selector.Select(new SelectionRequest(mode, 1), []);
            Assert.That(lease?.Worker.Id, tryAll ? Is.AnyOf("w1", "w2") : Is.Null, mode);
            if (!tryAll)
                Assert.That(error.Cause, Is.EqualTo(FailureCause.NoWorkerAvailable));
        }

        if (tryAll)
            Assert.That(Used(SelectorOf.Pool(pool, 1, new SelectionOptions(TryAllWhenNoneIsEligible: true))), Has.Count.EqualTo(used));
    }

    private static List<string> Used(WorkerSelector selector) =>
        [.. Enumerable.Range(0, 20).Select(_ => selector.Select(new SelectionRequest("round_robin", 0), []).Lease!.Worker.Id).Distinct()];

    private static async Task CloseAsync(TorBalancer.Connecting.ConnectOutcome outcome)
    {
        await outcome.Stream!.DisposeAsync();
    }
}
