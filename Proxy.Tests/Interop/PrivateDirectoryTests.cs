using System.Net.Sockets;
using System.Runtime.Versioning;
using TorBalancer.Interop;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Interop;

[SupportedOSPlatform("linux")]
public class PrivateDirectoryTests
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private string _shared = "";

    private string Ours => Path.Combine(_shared, "ours");

    /// <summary>A folder like /tmp.</summary>
    [SetUp]
    public void MakeShared()
    {
        _shared = Directory.CreateTempSubdirectory("tbs").FullName;
        File.SetUnixFileMode(_shared, (UnixFileMode)0x3FF);
    }

    [TearDown]
    public void RemoveShared() => Directory.Delete(_shared, recursive: true);

    [Test]
    public void Open_makes_it_for_us_only()
    {
        using var directory = PrivateDirectory.Open(Path.Combine(Ours, "below"));

        Assert.That(File.GetUnixFileMode(directory.Path), Is.EqualTo(Private));
        Assert.That(PrivateDirectory.IsOurs(directory.Path), Is.True);
    }

    [Test]
    public void Open_narrows_one_that_others_could_only_read()
    {
        Directory.CreateDirectory(Ours, (UnixFileMode)0x1ED);
        PrivateDirectory.Make(Ours);

        Assert.That(File.GetUnixFileMode(Ours), Is.EqualTo(Private));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Open_of_one_that_others_could_write_to(bool allowed)
    {
        var options = allowed ? PrivateDirectoryOptions.MayBeOpen : PrivateDirectoryOptions.None;
        Directory.CreateDirectory(Ours);
        File.SetUnixFileMode(Ours, (UnixFileMode)0x1FF);

        if (allowed)
            Assert.That(() => PrivateDirectory.Make(Ours, options), Throws.Nothing);
        else
            Assert.That(
                () => PrivateDirectory.Make(Ours, options),
                Throws.InstanceOf<UntrustedPathException>().With.Message.Contains("writable by others"));
        Assert.That(PrivateDirectory.IsOurs(Ours), Is.EqualTo(allowed));
    }

    [Test]
    public void Open_follows_no_link_unless_told_to()
    {
        string target = Path.Combine(_shared, "target");
        Directory.CreateDirectory(target, Private);
        File.CreateSymbolicLink(Ours, target);

        Assert.That(() => PrivateDirectory.Make(Ours), Throws.InstanceOf<UntrustedPathException>().With.Message.Contains("symbolic link"));
        Assert.That(() => PrivateDirectory.Make(Ours, PrivateDirectoryOptions.MayBeLink), Throws.Nothing);
        Assert.That(PrivateDirectory.IsOurs(Ours), Is.False);
    }

    [Test, CancelAfter(30_000)]
    public async Task Open_refuses_what_another_user_has_put_there(CancellationToken token)
    {
        await OtherUser.RequireAsync(token);
        string theirs = Path.Combine(_shared, "theirs"), link = Path.Combine(_shared, "link");
        Directory.CreateDirectory(theirs, Private);
        Directory.CreateDirectory(Path.Combine(_shared, "mine"), Private);
        File.CreateSymbolicLink(link, Path.Combine(_shared, "mine"));
        await OtherUser.GiveAsync(theirs, token);
        await OtherUser.GiveAsync(link, token);

        foreach (string path in (string[])[theirs, Path.Combine(theirs, "below"), link, Path.Combine(link, "below")])
        {
            Assert.That(() => PrivateDirectory.Make(path, PrivateDirectoryOptions.MayBeLink | PrivateDirectoryOptions.MayBeOpen),
                Throws.InstanceOf<UntrustedPathException>().With.Message.Contains($"belongs to user {OtherUser.Id}"), path);
            Assert.That(Directory.Exists(Path.Combine(theirs, "below")), Is.False, "nothing is made in it either");
        }
    }

    [TestCase(0x1B0)]
    [TestCase(0x180)]
    [TestCase(0x1FF)]
    public void Bind_gives_the_socket_its_mode_whatever_the_umask(int mode)
    {
        string path = Path.Combine(_shared, "socket");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        UnixSocketFile.Bind(socket, path, (UnixFileMode)mode);

        Assert.That(File.GetUnixFileMode(path), Is.EqualTo((UnixFileMode)mode));
        Assert.That(UnixSocketFile.Is(path), Is.True);
    }

    [Test]
    public void Within_stays_in_the_directory_when_its_name_is_taken()
    {
        using var directory = PrivateDirectory.Open(Ours);
        Directory.Move(Ours, Ours + ".moved");
        Directory.CreateDirectory(Ours);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        UnixSocketFile.Bind(socket, directory.Within("socket"), Private);

        Assert.That(File.Exists(Path.Combine(Ours + ".moved", "socket")), Is.True);
        Assert.That(File.Exists(Path.Combine(Ours, "socket")), Is.False);
    }
}
