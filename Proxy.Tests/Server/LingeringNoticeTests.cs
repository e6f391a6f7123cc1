using Microsoft.Extensions.Logging;
using TorBalancer.Server;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

public class LingeringNoticeTests
{
    [Test]
    public void Observe_says_it_once_a_minute()
    {
        using var log = new ListLogger();
        var clock = new ManualTimeProvider();
        var notice = new LingeringNotice(log.CreateLogger<LingeringNotice>(), clock);
        notice.Observe();
        notice.Observe();
        Assert.That(log.Entries, Has.Count.EqualTo(1));
        Assert.That(log.Entries.Single().Event.Id, Is.EqualTo(ServerEventIds.LingeringFull));
        clock.Advance(TimeSpan.FromSeconds(59));
        notice.Observe();
        Assert.That(log.Entries, Has.Count.EqualTo(1));
        clock.Advance(TimeSpan.FromSeconds(1));
        notice.Observe();
        Assert.That(log.Entries, Has.Count.EqualTo(2));
    }
}
