using TorBalancer.Transport.Linux;

namespace TorBalancer.Tests.Transport;

[TestFixture, Platform("Linux")]
public class PipePoolTests
{
    private const int Usual = 256 * 1024, Large = 1024 * 1024;

    [Test]
    public void A_pipe_that_was_filled_becomes_larger_and_stays_so_in_the_pool()
    {
        var pool = new PipePool(PipePool.UsualLimit, PipePool.MostLarge);
        var pipe = pool.Rent()!;
        Assert.That(pipe.Capacity, Is.EqualTo(Usual));
        pool.Enlarge(pipe);
        Assert.That(pipe.Capacity, Is.EqualTo(Large));
        Assert.That(Libc.FileControl(pipe.WriteEnd, Libc.GetPipeSize, 0), Is.EqualTo(Large), "the kernel's size of it");
        pool.Return(pipe);
        Assert.That(pool.Rent(), Is.SameAs(pipe));
        pool.Return(pipe);
        pool.Trim();
    }

    [Test]
    public void No_pipe_is_lent_beyond_the_limit()
    {
        var pool = new PipePool(1, 0);
        var pipe = pool.Rent()!;
        Assert.That(pool.Rent(), Is.Null);
        pool.Return(pipe);
        Assert.That(pool.Rent(), Is.SameAs(pipe));
        pool.Return(pipe);
        pool.Trim();
    }

    [Test]
    public void Only_sixteen_pipes_become_larger_until_one_is_closed()
    {
        var pool = new PipePool(PipePool.UsualLimit, PipePool.MostLarge);
        var pipes = Enumerable.Range(0, 17).Select(_ => pool.Rent()!).ToList();
        pipes.ForEach(pool.Enlarge);
        Assert.That(pipes.Count(static pipe => pipe.Capacity == Large), Is.EqualTo(16));

        // One that still holds bytes is closed when it comes back.
        pipes[0].Filled = 1;
        pool.Return(pipes[0]);
        pool.Enlarge(pipes[16]);
        Assert.That(pipes[16].Capacity, Is.EqualTo(Large));
        foreach (var pipe in pipes.Skip(1))
            pool.Return(pipe);
        Assert.That(pool.Trim(), Is.True);
        Assert.That(pool.Trim(), Is.False);
    }
}
