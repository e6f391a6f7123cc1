using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Http;

[TestFixture]
public sealed class HttpReadDeadlineTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Test]
    public void Begin_limit_runs_out_when_it_should_however_the_timer_was_set_before()
    {
        var time = new ManualTimeProvider();
        using var deadline = new HttpReadDeadline(time, default);
        deadline.Begin(10 * Second, default);
        time.Advance(4 * Second);
        deadline.End();

        // The timer has 6 s to go; what it finds then is a read that has 58 left.
        deadline.Begin(60 * Second, default);
        time.Advance(59 * Second);
        Assert.That(deadline.Token.IsCancellationRequested || deadline.Expired, Is.False);
        time.Advance(1 * Second);
        Assert.That(deadline.Token.IsCancellationRequested && deadline.OrStopping.IsCancellationRequested && deadline.Expired);
    }

    [Test]
    public void Restart_shorter_limit_holds_from_then_on()
    {
        var time = new ManualTimeProvider();
        using var deadline = new HttpReadDeadline(time, default);
        deadline.Begin(60 * Second, default);
        time.Advance(50 * Second);
        deadline.Restart(5 * Second);
        time.Advance(4 * Second);
        Assert.That(deadline.Expired, Is.False);
        time.Advance(1 * Second);
        Assert.That(deadline.Expired);
    }

    [Test]
    public void End_read_in_time_is_never_cancelled()
    {
        var time = new ManualTimeProvider();
        using var deadline = new HttpReadDeadline(time, default);
        deadline.Begin(Second, default);
        deadline.End();
        time.Advance(10 * Second);
        Assert.That(deadline.Token.IsCancellationRequested || deadline.Expired, Is.False);
        Assert.That(time.Timers, Is.Zero);
        deadline.Begin(Second, default);
        time.Advance(Second);
        Assert.That(deadline.Expired);
    }

    [Test]
    public void Begin_after_one_that_ran_out_counts_anew()
    {
        var time = new ManualTimeProvider();
        using var deadline = new HttpReadDeadline(time, default);
        deadline.Begin(Second, default);
        time.Advance(Second);
        deadline.Begin(Second, default);
        Assert.That(deadline.Token.IsCancellationRequested || deadline.Expired, Is.False);
    }

    [Test]
    public void Token_is_cancelled_by_the_caller_and_that_is_no_end_of_time()
    {
        using var outer = new CancellationTokenSource();
        using var stopping = new CancellationTokenSource();
        using var deadline = new HttpReadDeadline(new ManualTimeProvider(), stopping.Token);
        deadline.Begin(Second, outer.Token);
        stopping.Cancel();
        Assert.That(deadline.OrStopping.IsCancellationRequested && !deadline.Token.IsCancellationRequested);
        outer.Cancel();
        Assert.That(deadline.Token.IsCancellationRequested && !deadline.Expired);
    }
}
