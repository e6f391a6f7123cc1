using TorBalancer.Balancing;
using TorBalancer.Configuration;

namespace TorBalancer.Tests.Configuration.Reload;

/// <summary>workers.d beside the file.</summary>
public class WorkersFolderTests
{
    private const string Main = "/etc/t/t.conf";

    [Test]
    public void Files_come_behind_the_first_in_the_order_of_their_names()
    {
        var result = Load(
            "[Worker:main]", ("20-b.conf", "[Worker:b]\nSocksPort = 9052"), ("10-c.conf", "[Worker:c]\nSocksPort = 9051"),
            ("readme.txt", "nothing"), (".10-c.conf.swp.conf", "nothing"));
        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Options.Workers.Select(static worker => worker.Name), Is.EqualTo(new[] { "main", "c", "b" }));
    }

    [Test]
    public void A_mistake_names_its_file_and_line() => Assert.That(
        Loading.Join(Load("[Worker:main]", ("a.conf", "; one\n[Worker:a]\nSocksPort = 9051\nWeight = 200\n")).Errors),
        Does.StartWith("/etc/t/workers.d/a.conf:4: [Worker:a] Weight = \"200\" "));

    [Test]
    public void Sections_and_keys_twice_are_as_wrong_as_in_one_file()
    {
        string errors = Loading.Join(
            Load("[Worker:a]\nWeight = 2\n", ("a.conf", "[Worker:a]\nWeight = 3\n"), ("b.conf", "[worker:A]\nSocksPort = 9051\n")).Errors);
        Assert.That(errors, Does.Contain("/etc/t/workers.d/a.conf:1: [Worker:a] is given twice, the first time in /etc/t/t.conf:1;"));
        Assert.That(errors, Does.Contain("/etc/t/workers.d/a.conf:2: [Worker:a] Weight is given twice, the first time in /etc/t/t.conf:2"));
        Assert.That(errors, Does.Contain("/etc/t/workers.d/b.conf:1: [worker:A] is given twice, the first time in /etc/t/t.conf:1;"));
    }

    [Test]
    public void Mistakes_come_file_by_file()
    {
        string[] lines = [.. Load("\n\n\n[Worker:a]\nWeight = x", ("a.conf", "[Worker:b]\nWeight = y\nSocksPort = 9051")).Errors
            .Select(static one => one.Origin.ToString())];
        Assert.That(lines, Is.EqualTo(new[] { "/etc/t/t.conf:5", "/etc/t/workers.d/a.conf:2" }));
    }

    [Test]
    public void Relative_paths_start_where_those_of_the_first_file_do()
    {
        var result = Load("", ("a.conf", "[Worker:a]\nControlPort = 9051\nControlCookie = cookie"));
        Assert.That(result.Options.Workers[0].ControlCookie, Is.EqualTo("/etc/t/cookie"));
    }

    private static ConfigurationResult Load(string text, params (string Name, string Text)[] others)
    {
        var files = new FakeFiles { Texts = { [Main] = text } };
        foreach (var (name, content) in others)
            files.Texts["/etc/t/workers.d/" + name] = content;
        return ConfigurationLoader.Load(
            new ConfigurationSources
            {
                ConfigPath = Main,
                ModeNames = SelectionPolicyNames.All,
                Files = files,
                WorkingDirectory = "/wd",
            });
    }
}
