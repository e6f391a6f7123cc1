using TorBalancer.Primitives;
using TorBalancer.Server;
using TorBalancer.Tests.Balancing;

namespace TorBalancer.Tests.Server;

public class AttemptHistoryTests
{
    [Test]
    public void First_is_told_when_its_hedge_has_failed()
    {
        var pool = PoolOf.Equal(2);
        var (first, hedge) = (pool.Find("w1")!, pool.Find("w2")!);
        var history = new History();
        history.BeginAttempts();
        history.AttemptBegan(first, viaLink: true, 10);
        history.AttemptBegan(hedge, viaLink: false, 20);
        history.AttemptFailed(hedge, viaLink: false, new ProxyError(FailureCause.WorkerProtocol), TimeSpan.FromMilliseconds(3));
        history.AttemptSucceeded(first, TimeSpan.FromMilliseconds(7));
        Assert.That(
            history.AttemptList.Select(static one => (one.WorkerId, one.ViaLink, one.Began, one.Outcome, one.Elapsed.TotalMilliseconds)),
            Is.EqualTo(new[] { ("w1", true, 10L, AttemptOutcome.Succeeded, 7d), ("w2", false, 20L, AttemptOutcome.Failed, 3d) }));
    }

    [Test]
    public void Hedge_that_is_late_is_given_up()
    {
        var pool = PoolOf.Equal(2);
        var (first, hedge) = (pool.Find("w1")!, pool.Find("w2")!);
        var history = new History();
        history.BeginAttempts();
        history.AttemptBegan(first, viaLink: false, 10);
        history.AttemptBegan(hedge, viaLink: true, 20);
        history.AttemptSucceeded(first, TimeSpan.FromMilliseconds(7));
        Assert.That(
            history.AttemptList.Select(static one => (one.WorkerId, one.ViaLink, one.Began, one.Outcome)),
            Is.EqualTo(new[] { ("w1", false, 10L, AttemptOutcome.Succeeded), ("w2", true, 20L, AttemptOutcome.GivenUp) }));
    }

    private sealed class History : AttemptHistory
    {
        protected override bool IsOver => false;
    }
}
