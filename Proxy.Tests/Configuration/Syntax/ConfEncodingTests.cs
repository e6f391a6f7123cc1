using System.Text;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Syntax;

/// <summary>Files as bytes, through the real file system.</summary>
public class ConfEncodingTests
{
    private const string Text = "[Listener:a]\nAuth = required\nUsers = ann:café\n";
    private const string NotUtf8 = "has bytes that are not UTF-8; save the file as UTF-8";

    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [TestCase("utf-8", false)]
    [TestCase("utf-8", true)]
    [TestCase("utf-16", true)]
    [TestCase("utf-16BE", true)]
    [TestCase("utf-32", true)]
    public void Load_unicode_gives_the_same_password(string name, bool withMark)
    {
        var encoding = Encoding.GetEncoding(name);
        var result = Load([.. withMark ? encoding.GetPreamble() : [], .. encoding.GetBytes(Text)]);

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Listeners.Single().Users["ann"], Is.EqualTo("café"));
    }

    [TestCase(Text, "3: [Listener:a] Users")]
    [TestCase("# für alle\n[Log]", "1: the comment")]
    [TestCase("[Wörker:a]\nAddress = 10.0.0.1", "1: the section header")]
    [TestCase("[Log]\nLevel = debug\nfür alle", "3: the line")]
    [TestCase("[Log]\nLevel = debug ; für alle", "2: [Log] Level: the comment")]
    [TestCase("[Balancing]\nMode = \u0093random\u0094", "2: [Balancing] Mode = \"?random?\"")]
    public void Load_latin1_names_the_line_and_no_secret(string text, string expected)
    {
        string errors = Loading.Join(Load(Encoding.Latin1.GetBytes(text)).Errors);

        Assert.That(errors, Does.StartWith($"{_directory}/t.conf:{expected} {NotUtf8}").And.Not.Contain("caf").And.Not.Contain("\n"));
    }

    [TestCase(new byte[] { 0xC0, 0xAF })]
    [TestCase(new byte[] { 0xED, 0xA0, 0x80 })]
    [TestCase(new byte[] { 0xF8, 0x88, 0x80, 0x80, 0x80 })]
    [TestCase(new byte[] { 0xC3 })]
    public void Load_malformed_utf8_refused(byte[] bytes) =>
        Assert.That(Loading.Join(Load([.. "[Log]\nFile = x"u8, .. bytes]).Errors), Does.Contain(":2: [Log] File").And.Contain(NotUtf8));

    [Test]
    public void Load_nul_refused() =>
        Assert.That(Loading.Join(Load("[Log]\nLevel = debug\0"u8.ToArray()).Errors),
            Does.Contain("t.conf:2: [Log] Level").And.Contain("has a NUL character"));

    [TestCase("utf-16")]
    [TestCase("utf-16BE")]
    public void Load_utf16_without_a_mark_says_so(string name) =>
        Assert.That(Loading.Join(Load(Encoding.GetEncoding(name).GetBytes(Text)).Errors),
            Does.EndWith("t.conf: the configuration file is UTF-16 without a byte order mark; save it as UTF-8"));

    [Test]
    public void Load_lost_character_refused() =>
        Assert.That(Loading.Join(Load(Encoding.UTF8.GetBytes(Text.Replace('é', '\uFFFD'))).Errors),
            Does.Contain("t.conf:3: [Listener:a] Users has a character that was lost in a conversion"));

    [Test]
    public void Load_variable_and_argument_in_another_encoding_refused()
    {
        // What the runtime makes of a byte that is not UTF-8.
        var result = Loading.Sources(environment: new() { ["TORBALANCER_Listener__a__Users"] = "ann:caf\uFFFD" },
            arguments: ["--Log:File=caf\uFFFD"]);

        Assert.That(result.Errors.Select(static error => error.ToString()), Has.Exactly(2).Contains("lost in a conversion"));
    }

    [Test]
    public void UsersFile_latin1_names_the_line_and_makes_no_second_complaint()
    {
        File.WriteAllBytes(Path.Combine(_directory, "users"), Encoding.Latin1.GetBytes("# ok\nann:café\n"));

        string errors = Loading.Join(Load("[Listener:a]\nAuth = required\nUsersFile = users"u8.ToArray()).Errors);

        Assert.That(errors, Does.StartWith($"{_directory}/users:2: the line {NotUtf8}").And.Not.Contain("\n"));
    }

    private ConfigurationResult Load(byte[] bytes)
    {
        string path = Path.Combine(_directory, "t.conf");
        File.WriteAllBytes(path, bytes);
        return Loading.Sources(path: path, files: DiskFiles.Instance);
    }
}
