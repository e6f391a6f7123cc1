using System.Runtime.Versioning;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Keys;

[SupportedOSPlatform("linux")]
public class KeyFileTests
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly System.Text.Json.Nodes.JsonNode Vector = OnionVectors.All["blinding"]![0]!;

    private static readonly byte[] Pem = System.Text.Encoding.ASCII.GetBytes(Vector.Text("pem"));

    private static readonly byte[] Tor = [.. "== ed25519v1-secret: type0 ==\0\0\0"u8, .. Vector.Bytes("expanded")];

    private string _directory = "";

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Load_takes_both_forms()
    {
        foreach (byte[] content in new[] { Pem, Tor })
        {
            using var key = KeyFile.Load(Write(content));
            Assert.That(key.Address.ToString(), Is.EqualTo(Vector.Text("address")));
        }
    }

    [TestCase(UnixFileMode.GroupRead)]
    [TestCase(UnixFileMode.OtherRead)]
    [TestCase(UnixFileMode.OtherWrite)]
    [TestCase(UnixFileMode.GroupExecute)]
    public void Load_refuses_a_key_that_others_may_use(UnixFileMode more)
    {
        string path = Write(Pem, Private | more);

        Assert.That(
            () => KeyFile.Load(path),
            Throws.InstanceOf<KeyFileException>().With.Message.StartsWith(path).And.Message.Contains("chmod 600"));
    }

    [Test]
    public void Load_says_what_is_wrong_with_a_file_and_never_what_is_in_it()
    {
        string seed = Vector.Text("pem").Split('\n')[1];
        string otherKind = Vector.Text("pem").Replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu", StringComparison.Ordinal);
        Assert.Multiple(() =>
        {
            Refused(Tor[..90], "96 bytes, this one has 90");
            Refused([.. Tor, 0], "this one has 97");
            Refused([], "neither a PKCS#8 key");
            Refused(new byte[5000], "too long");
            Refused(Pem[..60], "neither a PKCS#8 key");
            Refused(Text(Vector.Text("pem").Replace("PRIVATE", "ENCRYPTED PRIVATE", StringComparison.Ordinal)), "without a passphrase");
            Refused(Text(Vector.Text("pem").Replace("PRIVATE", "PUBLIC", StringComparison.Ordinal)), "no PRIVATE KEY");
            Refused(Text(otherKind), "Ed25519 keys");
            Refused(Text($"-----BEGIN PRIVATE KEY-----\n{seed[..40]}\n-----END PRIVATE KEY-----\n"), "no PKCS#8 key");
            Assert.That(
                () => KeyFile.Load(Path.Combine(_directory, "none")),
                Throws.InstanceOf<KeyFileException>().With.Message.Contains("there is no such file"));
            Assert.That(() => KeyFile.Load(_directory), Throws.InstanceOf<KeyFileException>().With.Message.Contains("not a file"));
        });

        void Refused(byte[] content, string why) =>
            Assert.That(
                () => KeyFile.Load(Write(content)),
                Throws.InstanceOf<KeyFileException>().With.Message.Contains(why).And.Message.Not.Contains(seed[20..30]));
    }

    private static byte[] Text(string text) => System.Text.Encoding.ASCII.GetBytes(text);

    private string Write(byte[] content, UnixFileMode mode = Private)
    {
        string path = Path.Combine(_directory, Guid.NewGuid().ToString("N"));
        File.WriteAllBytes(path, content);
        File.SetUnixFileMode(path, mode);
        return path;
    }
}
