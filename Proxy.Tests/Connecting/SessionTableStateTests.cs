using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Connecting;

/// <summary>What goes to the process that takes over.</summary>
public sealed class SessionTableStateTests
{
    [Test]
    public void Adopted_table_shows_what_the_other_one_showed()
    {
        var clock = new ManualTimeProvider();
        var old = new SessionTable(clock);
        old.Use("by name", UserParameters.None with { Session = "n", RotateAfterUses = 5 });
        old.Use("by port", UserParameters.None with { Session = "p", Port = 9101 });
        old.Use("by port, limited", UserParameters.None with { Session = "l", Port = 9102, SessionLifetime = TimeSpan.FromMinutes(10) });
        clock.Advance(TimeSpan.FromSeconds(3));

        var next = new SessionTable(clock);
        next.Adopt(old.Export());

        Assert.That(next.List(), Is.EquivalentTo(old.List()));
        Assert.That(next.List().Select(static one => one.Port), Is.EquivalentTo(new int?[] { null, 9101, 9102 }));
    }
}
