using System.Runtime.Versioning;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Keys;

namespace TorBalancer.Tests.Keys;

[SupportedOSPlatform("linux")]
public sealed class IsolationKeyFileTests
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly string Key = string.Concat(Enumerable.Repeat("0a1B", 16));

    private readonly Dictionary<string, string> _environment = [];
    private string _state = null!;

    [SetUp]
    public void Create()
    {
        _state = Directory.CreateTempSubdirectory("tbk").FullName;
        _environment.Clear();
    }

    [TearDown]
    public void Remove() => Directory.Delete(_state, recursive: true);

    [Test]
    public void Key_is_made_once_for_its_user_alone_and_stays()
    {
        string directory = Path.Combine(_state, "deep", "state");
        byte[] first = Load("auto", directory);
        string path = Path.Combine(directory, IsolationKeyFile.Name);
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(Private));
        Assert.That(File.ReadAllText(path), Does.Match("^[0-9a-f]{64}\n$"));
        Assert.That(Directory.EnumerateFiles(directory).Count(), Is.EqualTo(1), "no draft is left");
        Assert.That(Load("auto", directory), Is.EqualTo(first));
        Assert.That(Load("auto", Path.Combine(_state, "other")), Is.Not.EqualTo(first));
    }

    [Test]
    public void Two_that_begin_at_once_have_the_same()
    {
        byte[][] keys = [.. Enumerable.Range(0, 16).AsParallel().WithDegreeOfParallelism(16).Select(_ => Load("auto", _state))];
        Assert.That(keys.Select(Convert.ToHexString).Distinct().Count(), Is.EqualTo(1));
    }

    [Test]
    public void File_that_is_named_is_the_key_and_auto_makes_none_beside_it()
    {
        string path = Write("shared.key", Key + "\n", Private);
        Assert.That(Load(path, _state), Is.EqualTo(Convert.FromHexString(Key)));
        Assert.That(File.Exists(Path.Combine(_state, IsolationKeyFile.Name)), Is.False);
    }

    [Test]
    public void Credential_of_systemd_goes_before_the_state_directory_and_may_be_read_by_a_group()
    {
        string credentials = Directory.CreateDirectory(Path.Combine(_state, "credentials")).FullName;
        string path = Write("credentials/" + IsolationKeyFile.Name, Key, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        _environment["CREDENTIALS_DIRECTORY"] = credentials;
        Assert.That(Load("auto", _state), Is.EqualTo(Convert.FromHexString(Key)));

        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.That(Refusal("auto"), Does.Contain(path).And.Contain("mode 0404"));
    }

    [Test]
    public void Without_a_state_directory_each_process_has_its_own()
    {
        byte[] one = Load("auto", null), other = Load("auto", null);
        Assert.That(one, Is.Not.EqualTo(other));
    }

    [TestCase(UnixFileMode.GroupRead, "0640")]
    [TestCase(UnixFileMode.OtherRead, "0604")]
    [TestCase(UnixFileMode.GroupWrite, "0620")]
    public void Wider_modes_are_refused_by_name(UnixFileMode wider, string shown)
    {
        string path = Write("wide.key", Key, Private | wider);
        Assert.That(Refusal(path), Does.Contain(path).And.Contain($"mode {shown}").And.Contain("0600"));

        Write(IsolationKeyFile.Name, Key, Private | wider);
        Assert.That(Refusal("auto"), Does.Contain(Path.Combine(_state, IsolationKeyFile.Name)).And.Contain($"mode {shown}"));
    }

    [TestCase("")]
    [TestCase("0a1b")]
    [TestCase("zz1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b")]
    [TestCase("0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a")]
    public void What_is_no_key_is_refused(string text)
    {
        string path = Write("bad.key", text, Private);
        Assert.That(Refusal(path), Does.Contain(path).And.EndsWith("64 hexadecimal digits on one line are one"));
        string kept = Write(IsolationKeyFile.Name, text, Private);
        Assert.That(Refusal("auto"), Does.Contain(kept).And.EndsWith("are one; delete it, and another is made"));
        Assert.That(File.ReadAllText(kept), Is.EqualTo(text), "whatever it is, it is not ours to write over");
    }

    [Test]
    public void A_directory_is_no_key_and_is_called_so()
    {
        string path = Directory.CreateDirectory(Path.Combine(_state, IsolationKeyFile.Name)).FullName;
        Assert.That(Refusal("auto"), Does.EndWith($"{path} is a directory"));
        Assert.That(Refusal(path), Does.EndWith($"{path} is a directory"));
    }

    [Test]
    public void Missing_file_is_refused_with_how_to_make_one()
    {
        string path = Path.Combine(_state, "none.key");
        Assert.That(Refusal(path), Does.Contain(path).And.Contain("openssl rand -hex 32"));
    }

    [Test]
    public void State_directory_that_cannot_be_made_is_said_and_nothing_fails()
    {
        Write("file", "", Private);
        var key = IsolationKeyFile.Load("auto", Path.Combine(_state, "file", "state"), _environment.GetValueOrDefault, out string? problem);
        Assert.That(key.Value.Length, Is.EqualTo(32));
        Assert.That(problem, Is.Not.Null);
    }

    private string Write(string name, string text, UnixFileMode mode)
    {
        string path = Path.Combine(_state, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    private byte[] Load(string configured, string? state)
    {
        var key = IsolationKeyFile.Load(configured, state, _environment.GetValueOrDefault, out string? problem);
        Assert.That(problem, Is.Null);
        return key.Value.ToArray();
    }

    private string Refusal(string configured) => Assert.Throws<StartupException>(
        () => IsolationKeyFile.Load(configured, _state, _environment.GetValueOrDefault, out _))!.Message;
}
