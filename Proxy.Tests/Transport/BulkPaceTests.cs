using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[TestFixture]
public class BulkPaceTests
{
    private const int Fast = 4 * 512 * 1024;

    private BulkPace _pace;
    private long _now;

    [SetUp]
    public void Begin() => (_pace, _now) = (default, 1000);

    [Test]
    public void Fast_bulk_alone_is_gathered_from_the_next_step_of_the_clock()
    {
        _pace.Spliced(Fast);
        Assert.That(_pace.OnlyBulk, Is.False);
        Step();
        Assert.That(_pace.OnlyBulk, Is.True);
    }

    [Test]
    public void Slow_bulk_is_passed_on_as_it_comes()
    {
        _pace.Spliced(Fast - 1);
        Step();
        Assert.That(_pace.OnlyBulk, Is.False);
    }

    [Test]
    public void Anything_else_ends_it_at_once_and_for_a_while()
    {
        _pace.Spliced(Fast);
        Step();
        _pace.Interrupt();
        Assert.That(_pace.OnlyBulk, Is.False);

        // The step that it was in, and 100 ms after that.
        for (int i = 0; i < 25; i++)
        {
            _pace.Spliced(Fast);
            Step();
            Assert.That(_pace.OnlyBulk, Is.False);
        }

        _pace.Spliced(Fast);
        Step();
        Assert.That(_pace.OnlyBulk, Is.True);
    }

    [Test]
    public void A_stream_that_pauses_ends_it()
    {
        _pace.Spliced(Fast);
        Step();
        Step();
        Assert.That(_pace.OnlyBulk, Is.False);
    }

    private void Step() => _pace.Advance(_now += 4, 4);
}
