using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using TorBalancer.Interop;

namespace TorBalancer.Tests.Interop;

[SupportedOSPlatform("linux")]
[CancelAfter(60_000)]
public class SharedFileTests
{
    private const int Append = FileCalls.WriteOnly | FileCalls.Create | FileCalls.Append | FileCalls.CloseOnExec | FileCalls.NonBlock;

    private const UnixFileMode Sticky = (UnixFileMode)0x3FF;

    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbs").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, true);

    [TestCase("file")]
    [TestCase("link")]
    [TestCase("folder/file", Description = "through a link that is a folder")]
    public void Open_follows_what_is_ours(string name)
    {
        Directory.CreateDirectory(Path.Combine(_directory, "real"));
        File.CreateSymbolicLink(Path.Combine(_directory, "link"), "real/target");
        File.CreateSymbolicLink(Path.Combine(_directory, "folder"), Path.Combine(_directory, "real"));

        int fd = SharedFile.Open(Path.Combine(_directory, name), Append, 0x180);

        Assert.That(fd, Is.GreaterThanOrEqualTo(0));
        Assert.That(
            FileCalls.StatusOf(fd)!.Value.IsSameFile(FileCalls.StatusOf(Path.Combine(_directory, name), followLinks: true)!.Value),
            Is.True);
        FileCalls.Close(fd);
    }

    [Test]
    public void Open_without_the_folder_says_so()
    {
        Assert.That(SharedFile.Open(Path.Combine(_directory, "a", "b"), Append, 0x180), Is.EqualTo(-1));
        Assert.That(Marshal.GetLastPInvokeError(), Is.EqualTo(Errno.NoEntry));
    }

    [Test]
    public void Open_takes_links_of_the_kernel() // as [Log] File = /dev/stderr
    {
        int fd = SharedFile.Open("/dev/stderr", FileCalls.WriteOnly | FileCalls.Append | FileCalls.CloseOnExec, 0);
        Assert.That(fd, Is.GreaterThanOrEqualTo(0));
        FileCalls.Close(fd);
    }

    [Test]
    public async Task Open_while_somebody_else_puts_a_link_there_never_follows_it(CancellationToken token)
    {
        string shared = Path.Combine(_directory, "shared"), victim = Path.Combine(_directory, "victim"), foreign = Path
            .Combine(_directory, "foreign"), path = Path.Combine(shared, "log");
        Directory.CreateDirectory(shared);
        File.SetUnixFileMode(shared, Sticky);
        await File.WriteAllTextAsync(victim, "", token);
        File.CreateSymbolicLink(foreign, victim);
        using (var chown = Process.Start("chown", ["-h", "45672", foreign]))
        {
            await chown.WaitForExitAsync(token);
            if (chown.ExitCode != 0)
                Assert.Ignore("skipped: only root can give a link to another user");
        }

        File.Move(foreign, path);
        Assert.That(() => SharedFile.Open(path, Append, 0x180), Throws.TypeOf<UntrustedPathException>());
        File.Move(path, foreign);

        var forbidden = FileCalls.StatusOf(victim, followLinks: true)!.Value;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(token);
        var flipping = Task.Factory.StartNew(() =>
        {
            while (!enough.IsCancellationRequested)
            {
                File.Move(foreign, path, overwrite: true);
                File.Move(path, foreign, overwrite: true);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        int refused = 0;
        for (int i = 0; i < 20_000 || refused == 0; i++)
        {
            token.ThrowIfCancellationRequested();
            try
            {
                int fd = SharedFile.Open(path, Append, 0x180);
                if (fd < 0)
                    continue;
                var opened = FileCalls.StatusOf(fd)!.Value;
                FileCalls.Close(fd);
                Assert.That(opened.IsSameFile(forbidden), Is.False, $"round {i}");
            }
            catch (UntrustedPathException)
            {
                refused++;
            }
        }

        await enough.CancelAsync();
        await flipping;
        Assert.That(refused, Is.Positive, "the link was met");
    }
}
