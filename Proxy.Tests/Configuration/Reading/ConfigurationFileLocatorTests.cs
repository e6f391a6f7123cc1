using TorBalancer.Configuration;

namespace TorBalancer.Tests.Configuration.Reading;

public class ConfigurationFileLocatorTests
{
    private const string User = "/home/ann/.config/torbalancer/torbalancer.conf";
    private const string Xdg = "/xdg/torbalancer/torbalancer.conf";
    private const string SystemWide = "/etc/torbalancer/torbalancer.conf";

    [TestCase("/wd/c.conf", "c.conf", "/e.conf", "/xdg")]
    [TestCase("/e.conf", null, "/e.conf", "/xdg")]
    [TestCase(Xdg, null, null, "/xdg")]
    [TestCase(User, null, null, null)]
    [TestCase(User, null, "", "relative/is/ignored")]
    public void Load_first_place_wins(string expected, string? config, string? variable, string? xdg)
    {
        var files = new FakeFiles();
        foreach (string path in new[] { "/wd/c.conf", "/e.conf", Xdg, User, SystemWide })
            files.Texts[path] = $"[Log]\nFile = {path}";

        var result = Load(files, config, variable, xdg);

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Log.File, Is.EqualTo(expected));
    }

    [Test]
    public void Load_only_the_system_has_a_file_it_is_taken()
    {
        var result = Load(new FakeFiles { Texts = { [SystemWide] = "[Log]\nLevel = warn" } }, null, null, null);

        Assert.That((result.Options.Log.Level, result.Source), Is.EqualTo(("warn", SystemWide)));
    }

    [Test]
    public void Load_the_working_directory_is_not_searched()
    {
        var files = new FakeFiles { Texts = { ["/wd/torbalancer.conf"] = "[Log]\nLevel = warn" } };

        Assert.That(Load(files, null, null, null).FilePath, Is.Null);
        Assert.That(files.Asked, Is.EqualTo(new[] { User, SystemWide }));
    }

    [TestCase("/no.conf", null)]
    [TestCase(null, "/no.conf")]
    public void Load_named_file_missing_is_an_error(string? config, string? variable) =>
        Assert.That(Loading.Join(Load(new FakeFiles(), config, variable, null).Errors),
            Is.EqualTo("/no.conf: the configuration file does not exist"));

    private static ConfigurationResult Load(FakeFiles files, string? config, string? variable, string? xdg)
    {
        var environment = new Dictionary<string, string> { ["HOME"] = "/home/ann" };
        if (variable is not null)
            environment["TORBALANCER_CONFIG"] = variable;
        if (xdg is not null)
            environment["XDG_CONFIG_HOME"] = xdg;
        return Loading.Sources(environment: environment, files: files, path: config);
    }
}
