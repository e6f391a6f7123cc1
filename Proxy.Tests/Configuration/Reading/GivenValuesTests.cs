using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Reading;

public class GivenValuesTests
{
    private static readonly ConfigurationOrigin Whole = new(ConfigurationLayer.File, "t.conf");
    private static readonly ConfigurationOrigin Header = new(ConfigurationLayer.File, "t.conf", 3);
    private static readonly ConfigurationOrigin Line = new(ConfigurationLayer.File, "t.conf", 4);
    private static readonly ConfigurationOrigin Argument = new(ConfigurationLayer.CommandLine, Line: 1);

    [Test]
    public void OriginOf_is_the_keys_else_the_sections_else_the_whole()
    {
        var given = Given();
        Add(given, "9s", Line);

        Assert.That(given.OriginOf("CONNECT", "timeout"), Is.EqualTo(Line));
        Assert.That(given.OriginOf("Connect", "Attempts"), Is.EqualTo(Header));
        Assert.That(given.OriginOf("Route", "Clearnet"), Is.EqualTo(Whole));
    }

    [Test]
    public void Add_the_last_layer_has_value_and_origin()
    {
        var given = Given();
        Add(given, "9s", Line);
        Add(given, "8s", Argument);

        Assert.That(given.Find("Connect", "Timeout"), Has.Property("Text").EqualTo("8s").And.Property("Origin").EqualTo(Argument));
    }

    [Test]
    public void Add_empty_value_takes_back_and_keeps_its_origin()
    {
        var given = Given();
        Add(given, "9s", Line);
        Add(given, " ", Argument);

        Assert.That(given.IsSet("Connect", "Timeout"), Is.False);
        Assert.That(given.OriginOf("Connect", "Timeout"), Is.EqualTo(Argument));
    }

    [Test]
    public void AnyFailed_knows_the_keys_of_one_section()
    {
        var given = Given();
        given.AddSection("Health", Header);
        given.AddFailed("Connect", "Timeout");

        Assert.That(given.AnyFailed("Connect", "Attempts", "TIMEOUT"), Is.True);
        Assert.That(given.AnyFailed("Connect", "Attempts"), Is.False);
        Assert.That(given.AnyFailed("Health", "Timeout"), Is.False);
        Assert.That(given.AnyFailed("Route", "Timeout"), Is.False);
    }

    private static GivenValues Given()
    {
        var given = new GivenValues(Whole);
        given.AddSection("Connect", Header);
        return given;
    }

    private static void Add(GivenValues given, string text, ConfigurationOrigin origin) =>
        given.Add("Connect", new GivenValue(Loading.Schema.Connect.Find("Timeout")!, text, origin));
}
