using System.Diagnostics;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Reading;

public class DiskFilesTests
{
    [Test]
    public void TryRead_directory_or_nothing_is_said()
    {
        string directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;
        try
        {
            Assert.That(DiskFiles.Instance.TryRead(directory, out _, out string isDirectory), Is.False);
            Assert.That(isDirectory, Is.EqualTo("is a directory"));
            Assert.That(DiskFiles.Instance.TryRead(Path.Combine(directory, "no", "file"), out _, out string missing), Is.False);
            Assert.That(missing, Is.EqualTo("does not exist"));
            string path = Path.Combine(directory, "bom.conf");
            File.WriteAllBytes(path, [0xEF, 0xBB, 0xBF, (byte)'x']);
            Assert.That(DiskFiles.Instance.TryRead(path, out string text, out _), Is.True);
            Assert.That(text, Is.EqualTo("x"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    [Platform("Linux")]
    public void TryList_passes_over_nothing_that_is_there()
    {
        string directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;
        try
        {
            string InIt(string name) => Path.Combine(directory, name);
            File.WriteAllText(InIt("a.conf"), "");
            Directory.CreateDirectory(InIt("b.conf"));
            File.CreateSymbolicLink(InIt("c.conf"), InIt("nowhere"));
            Assert.That(DiskFiles.Instance.TryList(directory, out var names, out _), Is.True);
            Assert.That(names, Is.EquivalentTo(["a.conf", "b.conf", "c.conf"]));

            Assert.That(DiskFiles.Instance.TryList(InIt("none"), out names, out _), Is.True);
            Assert.That(names, Is.Empty);
            Assert.That(DiskFiles.Instance.TryList(InIt("a.conf"), out _, out string problem), Is.False);
            Assert.That(problem, Is.EqualTo("is a file"));
            Assert.That(DiskFiles.Instance.TryList(InIt("c.conf"), out _, out problem), Is.False);
            Assert.That(problem, Is.EqualTo("is a link that leads to no folder"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test, CancelAfter(30_000)]
    [Platform("Linux")]
    public void TryRead_named_pipe_is_not_waited_for()
    {
        string directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;
        try
        {
            string pipe = Path.Combine(directory, "pipe"), link = Path.Combine(directory, "link");
            using (var made = Process.Start("mkfifo", [pipe]))
                made.WaitForExit();
            File.CreateSymbolicLink(link, pipe);
            foreach (string path in (string[])[pipe, link])
            {
                Assert.That(DiskFiles.Instance.TryRead(path, out _, out string problem), Is.False);
                Assert.That(problem, Is.EqualTo("is a named pipe and no file"));
                Assert.That(DiskFiles.Instance.Open(path), Is.Null);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test, CancelAfter(30_000)]
    [Platform("Linux")]
    public void TryRead_endless_device_is_given_up()
    {
        Assert.That(DiskFiles.Instance.TryRead("/dev/zero", out _, out string problem), Is.False);
        Assert.That(problem, Is.EqualTo("is longer than 16 MiB"));
    }
}
