using TorBalancer.Server;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

public sealed class MemoryTrimTests
{
    private readonly ManualTimeProvider _clock = new();
    private long _allocated;
    private int _collections;

    [SetUp]
    public void SetUp() => (_allocated, _collections) = (0, 0);

    [Test]
    public void Started_collects_soon_what_the_start_has_left()
    {
        using var trim = Create();
        _allocated = 3 * MemoryTrim.Much;
        trim.Started();
        _allocated += MemoryTrim.Little - 1;
        _clock.Advance(MemoryTrim.FirstStep);
        Assert.That(_collections, Is.EqualTo(1));
        Assert.That(_clock.UntilNextTimer, Is.Null);
    }

    [Test]
    public void Started_after_a_first_client_collects_as_soon()
    {
        using var trim = Create();
        _allocated = MemoryTrim.Much;
        trim.Touch();
        trim.Started();
        _clock.Advance(MemoryTrim.FirstStep);
        Assert.That(_collections, Is.EqualTo(1));
    }

    [Test]
    public void Started_with_clients_at_once_waits_for_a_quiet_step()
    {
        using var trim = Create();
        trim.Started();
        _allocated += MemoryTrim.Little;
        trim.Touch();
        _clock.Advance(MemoryTrim.FirstStep);
        Assert.That(_collections, Is.Zero);
        Step();
        Assert.That(_collections, Is.EqualTo(1));
    }

    [Test]
    public void Touch_while_much_is_allocated_waits_for_a_quiet_step()
    {
        using var trim = Started();
        trim.Touch();
        for (int i = 0; i < 5; i++)
        {
            _allocated += MemoryTrim.Much;
            Step();
        }

        Assert.That(_collections, Is.Zero);
        _allocated += MemoryTrim.Little - 1;
        Step();
        Assert.That(_collections, Is.EqualTo(1));
    }

    [Test]
    public void Touch_after_little_was_allocated_does_not_collect()
    {
        using var trim = Started();
        _allocated += MemoryTrim.Much - 1;
        trim.Touch();
        Step();
        Step();
        Assert.That(_collections, Is.Zero);
    }

    [Test]
    public void Little_by_little_comes_to_much()
    {
        using var trim = Started();
        for (long allocated = 0; allocated < MemoryTrim.Much; allocated += MemoryTrim.Little / 2)
        {
            Assert.That(_collections, Is.Zero);
            _allocated += MemoryTrim.Little / 2;
            trim.Touch();
            Step();
        }

        Assert.That(_collections, Is.EqualTo(1));
    }

    [Test]
    public void Quiet_process_is_not_woken()
    {
        using var trim = Started();
        Assert.That(_clock.UntilNextTimer, Is.Null);
        trim.Touch();
        Assert.That(_clock.UntilNextTimer, Is.EqualTo(MemoryTrim.Step));
        Step();
        Assert.That(_clock.UntilNextTimer, Is.Null);
    }

    [Test]
    public void Collecting_really_gives_memory_back()
    {
        using var trim = MemoryTrim.Create(_clock);
        var weak = Garbage();
        trim.Touch();
        while (_clock.UntilNextTimer is not null)
            Step();
        Assert.That(weak.IsAlive, Is.False);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference Garbage() => new(new byte[64]);
    }

    private MemoryTrim Create() => new(_clock, () => _allocated, () => _collections++);

    /// <summary>One that has dealt with the start.</summary>
    private MemoryTrim Started()
    {
        var trim = Create();
        trim.Started();
        _clock.Advance(MemoryTrim.FirstStep);
        _collections = 0;
        return trim;
    }

    private void Step() => _clock.Advance(MemoryTrim.Step);
}
