using System.Net;
using TorBalancer.Connecting;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Connecting;

public class WorkerPreconnectsTests
{
    [Test]
    public void Missing_follows_what_was_used_in_this_window_or_the_one_before()
    {
        var shelf = Shelf();
        Assert.That(shelf.Missing(8), Is.Zero);
        for (int i = 0; i < 4; i++)
            shelf.CountUse(TimeSpan.FromSeconds(1));
        Assert.That(shelf.Missing(8), Is.EqualTo(4));
        Assert.That(shelf.Missing(3), Is.EqualTo(3));

        shelf.CountUse(TimeSpan.FromSeconds(6));
        Assert.That(shelf.Missing(8), Is.EqualTo(4), "the window before");
        shelf.CountUse(TimeSpan.FromSeconds(11));
        Assert.That(shelf.Missing(8), Is.EqualTo(1));
        shelf.CountUse(TimeSpan.FromSeconds(60));
        Assert.That(shelf.Missing(8), Is.EqualTo(1), "what is long ago does not count");
    }

    [Test]
    public void Missing_counts_connects_under_way_and_is_nothing_after_a_failure()
    {
        var shelf = Shelf();
        shelf.CountUse(TimeSpan.Zero);
        shelf.CountUse(TimeSpan.Zero);
        shelf.Connecting = 1;
        Assert.That(shelf.Missing(8), Is.EqualTo(1));
        shelf.Connecting = 5;
        Assert.That(shelf.Missing(8), Is.Zero);
        shelf.Connecting = 0;
        shelf.IsPaused = true;
        Assert.That(shelf.Missing(8), Is.Zero);
    }

    private static WorkerPreconnects Shelf() => new("w", new TransportConnectRequest(new IPEndPoint(IPAddress.Loopback, 9050)));
}
