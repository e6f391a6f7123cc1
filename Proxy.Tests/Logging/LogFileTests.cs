using System.Text;
using TorBalancer.Daemon.Logging;

namespace TorBalancer.Tests.Logging;

[CancelAfter(60_000)]
public class LogFileTests
{
    private string _directory = "";

    private string LogPath => Path.Combine(_directory, "log");

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbl").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Append_after_truncation_leaves_no_hole()
    {
        using var file = new LogFile(LogPath);
        Write(file, "one\n");
        using (var other = new FileStream(LogPath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            other.SetLength(0);
        Write(file, "two\n");

        Assert.That(File.ReadAllText(LogPath), Is.EqualTo("two\n"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Append_after_a_rename_goes_to_the_name(bool create)
    {
        using var file = new LogFile(LogPath);
        Write(file, "one\n");
        File.Move(LogPath, LogPath + ".1");
        if (create)
            File.WriteAllText(LogPath, "");
        Write(file, "two\n");

        Assert.That(File.ReadAllText(LogPath + ".1"), Is.EqualTo("one\n"));
        Assert.That(File.ReadAllText(LogPath), Is.EqualTo("two\n"));
    }

    [Test]
    public void Append_after_removal_makes_the_file_and_its_folders_anew()
    {
        string path = Path.Combine(_directory, "a", "b", "log");
        using var file = new LogFile(path);
        Write(file, "one\n");
        Directory.Delete(Path.Combine(_directory, "a"), recursive: true);
        Write(file, "two\n");

        Assert.That(File.ReadAllText(path), Is.EqualTo("two\n"));
        Assert.That(file.Problem, Is.Null);
    }

    [Test]
    public void Follow_without_a_line_lets_go_of_a_file_that_was_moved()
    {
        using var file = new LogFile(LogPath);
        Write(file, "one\n");
        File.Move(LogPath, LogPath + ".1");
        file.Follow();

        Assert.That(File.Exists(LogPath), Is.True);
    }

    [Test]
    public void Append_to_a_full_disk_tells_and_goes_on()
    {
        using var file = new LogFile("/dev/full");

        Assert.That(file.Append("one\n"u8), Is.Zero);
        Assert.That(file.Problem, Does.Contain("No space left"));
        file.Follow();
        Assert.That(file.Problem, Does.Contain("No space left"), "that it is still there says nothing about its room");
    }

    [Test]
    public void Append_where_the_name_is_no_file_any_more_writes_on_to_the_old_one()
    {
        using var file = new LogFile(LogPath);
        Write(file, "one\n");
        File.Move(LogPath, LogPath + ".1");
        Directory.CreateDirectory(LogPath);
        Write(file, "two\n");

        Assert.That(file.Problem, Is.Not.Null);
        Assert.That(File.ReadAllText(LogPath + ".1"), Is.EqualTo("one\ntwo\n"));
        Directory.Delete(LogPath);
        Write(file, "three\n");
        Assert.That(file.Problem, Is.Null);
        Assert.That(File.ReadAllText(LogPath), Is.EqualTo("three\n"));
    }

    private static void Write(LogFile file, string text) => Assert.That(file.Append(Encoding.UTF8.GetBytes(text)), Is.EqualTo(text.Length));
}
