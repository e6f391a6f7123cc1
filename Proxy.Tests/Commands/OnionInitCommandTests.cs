using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Processes;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>torbalancer onion init. That an address works with what it writes is shown on a real network.</summary>
[SupportedOSPlatform("linux")]
public class OnionInitCommandTests
{
    private string _directory = "";

    private string Out => Path.Combine(_directory, "out");

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Split_has_the_key_with_the_publisher_alone()
    {
        var (code, output, error) = await InitAsync("--topology", "split", "--instances", "3", "--name", "shop");

        Assert.That((code, error), Is.EqualTo((0, "")));
        using var key = KeyFile.Load(Path.Combine(Out, "publisher/shop.key"));
        Assert.That(output, Does.Contain($"18 files for {key.Address}"));
        Assert.That(Text("README.txt"), Does.StartWith(key.Address.ToString()).And.Contain("COSTS").And.Contain("No proof of work"));
        string conf = Text("publisher/publish.conf");
        Assert.That(conf, Does.Contain($"[OnionService:shop]\n; {key.Address}\nKey = /etc/torbalancer/shop.key\n"));
        byte[] secret = File.ReadAllBytes(Path.Combine(Out, "publisher/shop.key"));
        for (int i = 1; i <= 3; i++)
        {
            string service = $"node{i}/shop-node{i}";
            Assert.That(Text($"{service}/ob_config"), Is.EqualTo($"MasterOnionAddress {key.Address}\n"));
            using var instance = KeyFile.Load(Path.Combine(Out, service, "hs_ed25519_secret_key"));
            Assert.That(Text($"{service}/hostname"), Is.EqualTo($"{instance.Address}\n"));
            Assert.That(conf, Does.Contain($"[Instance:shop/node{i}]\nAddress = {instance.Address}\n"));
            Assert.That(Text($"node{i}/torrc"), Does.Contain("\nHiddenServiceOnionbalanceInstance 1\n"));
        }

        string[] withKey = [.. Files().Where(path => File.ReadAllBytes(path).AsSpan().IndexOf(secret.AsSpan(32)) >= 0)];
        Assert.That(withKey.Select(path => Path.GetRelativePath(Out, path)), Is.EqualTo(new[] { "publisher/shop.key" }));
        Assert.That(
            Configuration.Loading.Text(conf).Errors.Select(static issue => issue.Message),
            Has.Exactly(1).Items.And.All.Contains("does not exist"));
    }

    [Test]
    public async Task Parallel_has_it_on_every_host_and_combined_with_every_publisher()
    {
        await InitAsync("--topology", "split", "--instances", "1");
        string key = Path.Combine(Out, "publisher/main.key");
        using var first = KeyFile.Load(key);
        foreach (var (topology, expected) in new[]
        {
            ("parallel", new[] { "node1/main/hs_ed25519_secret_key", "node2/main/hs_ed25519_secret_key" }),
            ("combined", ["publisher1/main.key", "publisher2/main.key", "publisher3/main.key"]),
        })
        {
            string target = Path.Combine(_directory, topology);
            string[] publishers = topology == "combined" ? ["--publishers", "3"] : [];
            var (code, _, error) = await CommandRun.OfAsync(
                ["onion", "init", "--topology", topology, "--instances", "2", "--key", key, "--out", target, .. publishers]);

            Assert.That((code, error), Is.EqualTo((0, "")));
            string[] found = [.. Directory.EnumerateFiles(target, "*", SearchOption.AllDirectories)
                .Where(path => File.ReadAllBytes(path).AsSpan().SequenceEqual(File.ReadAllBytes(key)))
                .Select(path => Path.GetRelativePath(target, path)).Order()];
            Assert.That(found, Is.EqualTo(expected), "the same key in the same form: the address stays, and publishers agree");
            Assert.That(File.ReadAllText(Path.Combine(target, "README.txt")), Does.StartWith(first.Address.ToString()));
        }
    }

    /// <summary>A key of Onionbalance's.</summary>
    [Test]
    public async Task Key_in_PEM_becomes_one_in_the_form_of_tor()
    {
        string pem = Path.Combine(_directory, "key.pem");
        var vector = OnionVectors.All["blinding"]![0]!;
        File.WriteAllText(pem, vector.Text("pem"));
        File.SetUnixFileMode(pem, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        await InitAsync("--topology", "parallel", "--instances", "1", "--key", pem);

        Assert.That(Text("node1/main/hostname"), Is.EqualTo(vector.Text("address") + "\n"));
        Assert.That(
            Convert.ToHexStringLower(File.ReadAllBytes(Path.Combine(Out, "node1/main/hs_ed25519_secret_key"))[32..]),
            Is.EqualTo(vector.Text("expanded")));
    }

    [Test]
    public async Task Files_are_private_and_never_overwritten_unasked()
    {
        await InitAsync("--instances", "1");
        Assert.That(
            Files().Select(File.GetUnixFileMode), Has.All.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        string before = Text("README.txt");

        var (code, _, error) = await InitAsync("--instances", "1");
        Assert.That((code, Text("README.txt")), Is.EqualTo((1, before)));
        Assert.That(error, Does.Contain("is there already"));

        (code, _, _) = await InitAsync("--instances", "1", "--force");
        Assert.That(code, Is.Zero);
        Assert.That(Text("README.txt"), Is.Not.EqualTo(before), "another address");
    }

    [TestCase("--instances 0", "--instances 0: 1 to 60 are possible")]
    [TestCase("--instances 61", "1 to 60 are possible")]
    [TestCase("--topology combined --publishers 1", "2 to 9 are possible")]
    [TestCase("--publishers 2", "goes with --topology combined")]
    [TestCase("--port 0", "1 to 65535 are possible")]
    [TestCase("--name a/b", "letters, digits")]
    [TestCase("--target localhost:80", "neither PORT, IP:PORT nor unix:PATH")]
    [TestCase("--target 127.0.0.1", "neither PORT, IP:PORT nor unix:PATH")]
    public async Task What_cannot_be_is_refused_and_nothing_is_written(string arguments, string problem)
    {
        var (code, output, error) = await InitAsync(arguments.Split(' '));

        Assert.That((code, output), Is.EqualTo((2, "")));
        Assert.That(error, Does.StartWith("torbalancer onion init: ").And.Contain(problem));
        Assert.That(Directory.Exists(Out), Is.False);
    }

    /// <summary>Tor judges the lines, with the directories where they are.</summary>
    [TestCase("split")]
    [TestCase("parallel")]
    [CancelAfter(60_000)]
    public async Task Real_tor_takes_the_lines(string topology, CancellationToken token)
    {
        string tor = RealTor.Executable;
        await InitAsync("--topology", topology, "--instances", "1", "--target", "unix:/run/web.sock");
        string torrc = Text("node1/torrc").Replace("/var/lib/tor", Path.Combine(Out, "node1"), StringComparison.Ordinal);
        string file = Path.Combine(_directory, "torrc");
        File.WriteAllText(file, $"SocksPort 0\nDataDirectory {_directory}/data\n{torrc}");

        var result = await ProgramRun.RunAsync(
            tor, ["--defaults-torrc", Path.Combine(_directory, "none"), "--ignore-missing-torrc", "-f", file, "--verify-config"], token);

        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
    }

    private Task<CommandRun> InitAsync(params string[] arguments) =>
        CommandRun.OfAsync(["onion", "init", "--out", Out, .. arguments]);

    private IEnumerable<string> Files() => Directory.EnumerateFiles(Out, "*", SearchOption.AllDirectories);

    private string Text(string path) => File.ReadAllText(Path.Combine(Out, path));
}
