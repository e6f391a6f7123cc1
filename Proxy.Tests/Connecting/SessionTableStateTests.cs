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

    [Test]
    public void Table_that_was_adopted_early_knows_everything_after_the_changes_since()
    {
        var clock = new ManualTimeProvider();
        var old = new SessionTable(clock);
        var rotating = UserParameters.None with { Session = "n", RotateAfterUses = 2 };
        var plain = UserParameters.None with { Session = "p" };
        old.Use("rotates", rotating);
        old.Use("stays", UserParameters.None with { Session = "s", SessionLifetime = TimeSpan.FromMinutes(10) });
        old.Use("both", plain);
        old.Use("rotated later", UserParameters.None with { Session = "r" });
        var moved = old.Use("moves", plain).Session;
        var next = new SessionTable(clock);
        var early = old.Export();
        next.Adopt(early);
        clock.Advance(TimeSpan.FromSeconds(3));

        // Used up and begun anew, the same key with limits, one that a worker carries now, one that is to begin anew, a new one.
        for (int i = 0; i < 3; i++)
            old.Use("rotates", rotating);
        old.Use("both", rotating with { Session = "p" });
        moved.CarriedBy("w2");
        Assert.That(old.Rotate("r"), Is.EqualTo(1));
        old.Use("new", plain);
        clock.Advance(TimeSpan.FromSeconds(2));
        var changes = old.Export().Without(early.Known());
        next.Adopt(changes);

        Assert.That(next.List(), Is.EquivalentTo(old.List()));
        Assert.That(changes.Sessions.Select(static one => one.Key), Is.EquivalentTo(["rotates", "both", "moves", "rotated later", "new"]));
        Assert.That(
            next.Use("rotated later", UserParameters.None with { Session = "r" }).Epoch,
            Is.EqualTo(old.Use("rotated later", UserParameters.None with { Session = "r" }).Epoch).And.Positive);
        Assert.That(next.Use("rotates", rotating).Epoch, Is.EqualTo(old.Use("rotates", rotating).Epoch), "no number is used twice");
    }
}
