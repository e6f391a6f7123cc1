using System.Runtime.Versioning;
using System.Security.Cryptography;
using TorBalancer.Configuration.Reading;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Configuration.Rules;

/// <summary>What <c>check</c> says of a listener's certificate, with real files.</summary>
[SupportedOSPlatform("linux")]
public class ListenerTlsRulesTests
{
    private string _directory = "";

    private string Certificate => Path.Combine(_directory, "cert.pem");

    private string Key => Path.Combine(_directory, "key.pem");

    [SetUp]
    public void Make()
    {
        _directory = Directory.CreateTempSubdirectory("tbt").FullName;
        TestCertificate.Write(_directory).Dispose();
    }

    [TearDown]
    public void Remove() => Directory.Delete(_directory, true);

    [Test]
    public void Pair_is_taken() => Assert.That(Said(), Is.Empty);

    [Test]
    public void Missing_file_is_named()
    {
        File.Delete(Key);
        Assert.That(Said(), Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Key} does not exist"));
        File.Delete(Certificate);
        Assert.That(Said(), Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Certificate} does not exist"));
    }

    [Test]
    public void File_without_what_it_should_hold_is_named()
    {
        string key = File.ReadAllText(Key);
        File.WriteAllText(Key, "nothing");
        Assert.That(Said(), Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Key} holds no private key in PEM"));
        File.WriteAllText(Certificate, key);
        Assert.That(Said(), Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Certificate} holds no certificate in PEM"));
    }

    [Test]
    public void Key_of_another_certificate_is_refused()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(Key, other.ExportPkcs8PrivateKeyPem());
        Assert.That(Said(), Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Key} does not belong to the certificate in {Certificate}"));
    }

    [Test]
    public void Encrypted_key_is_refused()
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(Key));
        File.WriteAllText(
            Key,
            key.ExportEncryptedPkcs8PrivateKeyPem("x", new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1)));
        Assert.That(Said(), Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Key} is encrypted; a key without a password is taken"));
    }

    [Test]
    public void Key_that_everyone_can_read_is_refused()
    {
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.That(
            Said(),
            Is.EqualTo($"t.conf:2: [Listener:a] Tls: {Key} can be read or written by every user of this machine; "
                + "chmod o-rw, as it is with a key"));
        File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.That(Said(), Is.Empty, "a group of its own is usual");
    }

    [Test]
    public void Certificate_that_is_not_valid_now_is_a_warning()
    {
        TestCertificate.Write(_directory, TestCertificate.Create(TimeSpan.FromDays(-2), TimeSpan.FromDays(-1))).Dispose();
        Assert.That(Said(), Does.StartWith($"t.conf:2: [Listener:a] Tls: the certificate in {Certificate} expired on "));
        TestCertificate.Write(_directory, TestCertificate.Create(TimeSpan.FromDays(1), TimeSpan.FromDays(2))).Dispose();
        Assert.That(Said(), Does.StartWith($"t.conf:2: [Listener:a] Tls: the certificate in {Certificate} is valid from "));
    }

    [Test]
    public void Passwords_in_the_clear_are_warned_of_where_others_can_reach_the_listener()
    {
        // A hash: a password in plain text is warned of everywhere.
        const string guarded = "Address = 0.0.0.0:1080\nAuth = required\nUsers = a:"
            + "$6$saltsalt$U9lnnOjCCwUbs5DlvAH5QsjD7u.f7phlNw2.Qq.Mmdsj9wrbXqFlVrenX94MbmRnxZFeei7nhqJkDUO6DOUBK.";
        Assert.That(
            Loading.Join(Loading.Text($"[Listener:a]\n{guarded}").Warnings),
            Is.EqualTo("t.conf:3: [Listener:a] passwords are asked for on 0.0.0.0:1080, which other machines reach, and travel there "
                + "in the clear; Tls = cert.pem, key.pem helps"));
        Assert.That(Said(guarded), Is.Empty);
    }

    private string Said(string more = "")
    {
        var result = Loading.Text($"[Listener:a]\nTls = {Certificate}, {Key}\n{more}", DiskFiles.Instance);
        return Loading.Join([.. result.Errors, .. result.Warnings]);
    }
}
