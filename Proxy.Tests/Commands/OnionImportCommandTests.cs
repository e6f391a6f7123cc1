using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

[SupportedOSPlatform("linux")]
public class OnionImportCommandTests
{
    private const string Generator = "onionbalance-config";

    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    /// <summary>What Debian's onionbalance-config writes, its instances filled in.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Configuration_of_the_generator_becomes_ours(CancellationToken token)
    {
        var made = await ClientProcess.RunAsync(
            Generator, ["-n", "2", "--hs-version", "v3", "--no-interactive", "--output", _directory], token);
        Assert.That(made.ExitCode, Is.Zero, made.Error);
        string config = Path.Combine(_directory, "config.yaml"), key = Directory.GetFiles(_directory, "*.key").Single();
        string address = Path.GetFileNameWithoutExtension(key);
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var (code, output, error) = await CommandRun.OfAsync("onion", "import", config);
        Assert.That((code, output), Is.EqualTo((1, "")), "placeholders are no addresses");
        Assert.That(error, Does.Contain("stands where an instance's address belongs").And.Contain($"{config}:"));

        string text = File.ReadAllText(config);
        foreach (var (instance, _) in Instances.All.Take(2))
        {
            int at = text.IndexOf('<'), end = text.IndexOf('>');
            text = text[..at] + instance + text[(end + 1)..];
        }

        File.WriteAllText(config, text);
        (code, output, error) = await CommandRun.OfAsync("onion", "import", config);

        Assert.That((code, error), Is.EqualTo((0, "")));
        string name = address[..16];
        string label = address.Replace(".onion", "", StringComparison.Ordinal);
        Assert.That(output, Does.Contain($"[OnionService:{name}]\n; {label}.onion\nKey = {key}\n"));
        Assert.That(output, Does.Contain($"[Instance:{name}/node1]\nAddress = {Instances.All[0].Address}\n"));
        Assert.That(output, Does.Contain($"[Instance:{name}/node2]\nAddress = {Instances.All[1].Address}\n"));
        var result = Configuration.Loading.Text(output);
        Assert.That(result.Errors.Select(static issue => issue.Message), Has.All.Contains("does not exist"), "the key's path");
    }

    [Test]
    public async Task Names_are_made_fit_and_unique()
    {
        string config = Path.Combine(_directory, "c.yaml");
        File.WriteAllText(
            config,
            $"status-socket-location: /run/ob.sock\nservices:\n- key: my shop.key\n  instances:\n  - address: {Instances.All[0].Address}\n"
                + $"    name: 'web one'\n  - address: {Instances.All[1].Address}\n    name: web-one\n- key: x/my-shop.pem\n"
                + $"  instances: [{{address: {Instances.All[0].Address}}}]\n");

        var (code, output, error) = await CommandRun.OfAsync("onion", "import", config);

        Assert.That(code, Is.Zero);
        Assert.That(error, Does.Contain("c.yaml:3: warning: ").And.Contain("there is no such file"), "a key that cannot be read");
        Assert.That(
            output.Split('\n').Where(static line => line.StartsWith('[')),
            Is.EqualTo(new[]
            {
                "[Publisher]", "[OnionService:my-shop]", "[Instance:my-shop/web-one]", "[Instance:my-shop/web-one-2]",
                "[OnionService:my-shop-2]", "[Instance:my-shop-2/node1]",
            }));
        Assert.That(output, Does.Contain("\nStatus = unix:/run/ob.sock\n"));
        var result = Configuration.Loading.Text(output);
        Assert.That(result.Errors.Select(static issue => issue.Message), Has.All.Contains("does not exist"), "the key's path");
    }

    /// <summary>What would end a value or begin a comment is quoted; the path comes back as it was.</summary>
    [TestCase("semi ; colon.key")]
    [TestCase("hash #1.key")]
    [TestCase("it's \"this\".key")]
    [TestCase(" blank.key")]
    public async Task Paths_come_back_as_they_were(string name)
    {
        string config = Path.Combine(_directory, "c.yaml"), key = Path.Combine(_directory, name);
        string target = Path.Combine(_directory, "out.conf");
        using (var identity = IdentityKey.Generate())
            File.WriteAllBytes(key, TorKeyFiles.Secret(identity));
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        string quoted = name.Replace("'", "''", StringComparison.Ordinal);
        File.WriteAllText(config, $"services:\n- key: '{quoted}'\n  instances: [{{address: {Instances.All[0].Address}}}]\n");

        var import = await CommandRun.OfAsync("onion", "import", config, "--output", target);
        Assert.That((import.Code, import.Error), Is.EqualTo((0, "")));
        var check = await CommandRun.OfAsync("onion", "check", "--config", target, "--offline");

        Assert.That((check.Code, check.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public async Task What_the_publisher_would_refuse_is_said()
    {
        string config = Path.Combine(_directory, "c.yaml");
        using var identity = IdentityKey.Generate();
        foreach (string name in (string[])["a.key", "b.key"])
        {
            string key = Path.Combine(_directory, name);
            File.WriteAllBytes(key, TorKeyFiles.Secret(identity));
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        string many = string.Concat(Enumerable.Range(0, 61).Select(static i =>
        {
            using var one = IdentityKey.Generate();
            return $"  - address: {one.Address}\n";
        }));
        File.WriteAllText(
            config,
            $"services:\n- key: a.key\n  instances: [{{address: {Instances.All[0].Address}}}]\n- key: b.key\n  instances:\n{many}"
                + $"- key: 'no\"n;e.key'\n  instances: [{{address: {identity.Address}}}]\n");

        var (code, _, error) = await CommandRun.OfAsync("onion", "import", config);

        Assert.That(code, Is.Zero);
        Assert.That(error, Does.Contain($"c.yaml:4: warning: {identity.Address} is the address of the service in line 2 already")
            .And.Contain("c.yaml:4: warning: 61 instances, of which 60 are possible")
            .And.Contain($"warning: {identity.Address} is among the instances and a service itself: take it out")
            .And.Contain("warning: a path with a double quote and ; or # cannot be written: rename the key"));

        (code, _, error) = await CommandRun.OfAsync("onion", "import", _directory);
        Assert.That((code, error), Is.EqualTo((1, $"torbalancer onion import: cannot read {_directory}: it is a directory\n")));
    }

    [Test]
    public async Task Output_is_not_overwritten_unasked()
    {
        string config = Path.Combine(_directory, "c.yaml"), target = Path.Combine(_directory, "out.conf");
        File.WriteAllText(config, $"services:\n- key: a\n  instances: [{{address: {Instances.All[0].Address}}}]\n");
        File.WriteAllText(target, "mine");

        var (code, _, error) = await CommandRun.OfAsync("onion", "import", config, "--output", target);
        Assert.That((code, File.ReadAllText(target)), Is.EqualTo((1, "mine")));
        Assert.That(error, Does.Contain("--force"));

        (code, _, _) = await CommandRun.OfAsync("onion", "import", config, "--output", target, "--force");
        Assert.That(code, Is.Zero);
        Assert.That(File.ReadAllText(target), Does.Contain("[OnionService:a]"));
    }
}
