using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Tests.Terminal;

public class TextTableTests
{
    private static readonly TextStyle Plain = new(HasColour: false), Coloured = new(HasColour: true);

    [Test]
    public void Lines_stand_under_one_another()
    {
        var table = new TextTable("NAME", ">COUNT", "WHY");
        table.Add("a", 7, "x");
        table.Add("longer", 12345, (string?)null);

        Assert.That(table.Lines(Plain), Is.EqualTo(new[] { "NAME    COUNT  WHY", "a           7  x", "longer  12345  -" }));
    }

    [Test]
    public void Lines_are_cut_at_the_width_without_colours_in_the_middle_of_nothing()
    {
        var table = new TextTable("NAME", "WHY");
        table.Add("a", new Cell("something long", Tone.Bad));

        string[] lines = [.. table.Lines(Coloured, 12)];

        Assert.That(lines[1], Is.EqualTo("a     somet…"));
        Assert.That(lines[0], Is.EqualTo("\e[2mNAME  WHY\e[0m"));
    }

    [Test]
    public void Colours_do_not_move_the_columns()
    {
        var table = new TextTable("A", "B");
        table.Add(new Cell("ok", Tone.Good), "x");
        table.Add("longer", "y");

        Assert.That(table.Lines(Coloured).Skip(1).First(), Is.EqualTo("\e[32mok\e[0m      x"));
    }

    [Test]
    public void What_would_steer_a_terminal_is_written_out()
    {
        var table = new TextTable("A");
        table.Add("a\e[2Jb\u202ec\nd");

        Assert.That(table.Lines(Plain).Last(), Is.EqualTo("a\\u001b[2Jb\\u202ec\\u000ad"));
    }

    [TestCase(true, null, "xterm", true)]
    [TestCase(true, "", "xterm", true)]
    [TestCase(true, "1", "xterm", false)]
    [TestCase(true, null, "dumb", false)]
    [TestCase(true, null, null, false)]
    [TestCase(false, null, "xterm", false)]
    public void Style_has_colour_on_terminals_unless_told_otherwise(bool isTerminal, string? noColor, string? term, bool expected) =>
        Assert.That(
            TextStyle.For(isTerminal, name => name == "NO_COLOR" ? noColor : name == "TERM" ? term : null).HasColour, Is.EqualTo(expected));

    [TestCase(0, "0 B"), TestCase(999, "999 B"), TestCase(1000, "1.0 KiB"), TestCase(10_240, "10.0 KiB"), TestCase(1_048_576, "1.0 MiB")]
    [TestCase(150_000, "146 KiB"), TestCase(1e18, "888 PiB")]
    public void Bytes_have_a_unit(double bytes, string expected) => Assert.That(Units.Bytes(bytes), Is.EqualTo(expected));

    [TestCase(0, "0 ms"), TestCase(999, "999 ms"), TestCase(1500, "1.5 s"), TestCase(59_999, "59 s"), TestCase(61_000, "1m 01s")]
    [TestCase(3_720_000, "1h 02m"), TestCase(90_000_000, "1d 01h")]
    public void Times_have_two_units_at_most(long milliseconds, string expected) =>
        Assert.That(Units.Time(milliseconds), Is.EqualTo(expected));
}
