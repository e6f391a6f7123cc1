using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

[SupportedOSPlatform("linux")]
public class OnionCheckCommandTests
{
    private string _directory = "";
    private string _address = "";

    private string KeyPath => Path.Combine(_directory, "main.key");

    [SetUp]
    public void WriteKey()
    {
        _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;
        using var key = IdentityKey.Generate();
        _address = key.Address.ToString();
        File.WriteAllBytes(KeyPath, TorKeyFiles.Secret(key));
        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task Good_configuration_is_ok_and_its_address_is_told()
    {
        var (code, output, error) = await CheckAsync(Sections(Instances.All[0].Address.ToString()));

        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.StartWith($"[OnionService:main] {_address}\n").And.Contain("ok (1 onion services, 1 instances)"));
    }

    [Test]
    public async Task Everything_that_is_wrong_is_said()
    {
        var own = await CheckAsync(Sections(_address));
        Assert.That(own.Code, Is.EqualTo(1));
        Assert.That(own.Error, Does.Contain("[Instance:main/node1] Address is the address of [OnionService:main] itself"));

        // Only the keys tell.
        string copy = Path.Combine(_directory, "copy.key");
        File.Copy(KeyPath, copy);
        string more = $"\n[OnionService:blog]\nKey = {copy}\n[Instance:blog/a]\nAddress = {_address}\n";
        var twice = await CheckAsync(Sections(Instances.All[0].Address.ToString()) + more);
        Assert.That(twice.Code, Is.EqualTo(1));
        Assert.That(twice.Error, Does.Contain($"[OnionService:blog] Key is that of [OnionService:main] in another file ({_address})")
            .And.Contain("[Instance:blog/a] Address is the address of [OnionService:main] itself"));

        var none = await CheckAsync("[Publisher]\n");
        Assert.That(none.Code, Is.EqualTo(1));
        Assert.That(none.Error, Does.Contain("nothing to publish"));

        string good = Sections(Instances.All[0].Address.ToString());
        var port = await CheckAsync(good, "--control-port", "localhost");
        Assert.That(port.Code, Is.EqualTo(2));
        Assert.That(port.Error, Does.Contain("neither IP:PORT nor unix:PATH"));

        var away = await CheckAsync(good, "--control-port", "unix:/nonexistent");
        Assert.That(away.Code, Is.EqualTo(1));
        Assert.That(away.Error, Does.Contain("cannot connect to the control port unix:/nonexistent"));

        File.WriteAllBytes(KeyPath, new byte[96]);
        var broken = await CheckAsync(good);
        Assert.That(broken.Code, Is.EqualTo(1));
        Assert.That(broken.Error, Does.Contain($"[OnionService:main] Key: {KeyPath}: neither a PKCS#8 key"));

        File.SetUnixFileMode(KeyPath, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        var open = await CheckAsync(good);
        Assert.That(open.Code, Is.EqualTo(1));
        Assert.That(open.Error, Does.Contain("others"));
    }

    /// <summary>One instance that is published, and one that is not.</summary>
    [Test, CancelAfter(150_000)]
    public async Task Instances_are_looked_for_through_a_real_tor(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        string control = $"unix:{network.Workers[3].ControlPath}", absent = Instances.All[0].Address.ToString();

        var (code, output, error) = await CheckAsync(
            Sections(network.OnionAddress) + $"[Instance:main/node2]\nAddress = {absent}\n", "--control-port", control);

        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.Match(@"\[Instance:main/node1\] \d+ introduction points, flow-control 1-2 \d+, revision \d+\n"));
        Assert.That(error, Does.Contain("[Instance:main/node2] no directory has its descriptor: NOT_FOUND"));

        // As the publisher's own it would be refused: it has clients.
        var shared = await CheckAsync(Sections(network.OnionAddress).Replace(
            "[Publisher]", $"[Publisher]\nControlPort = {control}", StringComparison.Ordinal));
        Assert.That(shared.Code, Is.EqualTo(1));
        Assert.That(shared.Error, Does.Contain("this tor has clients of its own"));
        token.ThrowIfCancellationRequested();
    }

    private string Sections(string instance) =>
        $"[Publisher]\n\n[OnionService:main]\nKey = {KeyPath}\n\n[Instance:main/node1]\nAddress = {instance}\n";

    private Task<CommandRun> CheckAsync(string configuration, params string[] more)
    {
        string path = Path.Combine(_directory, "publish.conf");
        File.WriteAllText(path, configuration);
        return CommandRun.OfAsync(["onion", "check", "--config", path, .. more]);
    }
}
