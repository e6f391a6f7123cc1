using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[TestFixture]
public class BulkPaceTests
{
    private const int Fast = 4 * 512 * 1024;

    private BulkPace _pace;

    [SetUp]
    public void Begin() => _pace = default;

    [Test]
    public void Fast_bulk_alone_is_gathered_from_the_next_step_of_the_clock()
    {
        _pace.Spliced(Fast);
        Assert.That(_pace.OnlyBulk, Is.False);
        _pace.Advance(4);
        Assert.That(_pace.OnlyBulk, Is.True);
    }

    [Test]
    public void Slow_bulk_is_passed_on_as_it_comes()
    {
        _pace.Spliced(Fast - 1);
        _pace.Advance(4);
        Assert.That(_pace.OnlyBulk, Is.False);
    }

    [Test]
    public void What_is_copied_ends_it_at_once_and_for_the_next_step()
    {
        _pace.Spliced(Fast);
        _pace.Advance(4);
        _pace.Copied();
        Assert.That(_pace.OnlyBulk, Is.False);
        _pace.Spliced(Fast);
        _pace.Advance(4);
        Assert.That(_pace.OnlyBulk, Is.False);
        _pace.Spliced(Fast);
        _pace.Advance(4);
        Assert.That(_pace.OnlyBulk, Is.True);
    }

    [Test]
    public void A_stream_that_pauses_ends_it()
    {
        _pace.Spliced(Fast);
        _pace.Advance(4);
        _pace.Advance(4);
        Assert.That(_pace.OnlyBulk, Is.False);
    }
}
