using TorBalancer.Testnet;

namespace TorBalancer.Tests.Testnet;

public sealed class TestNetworkDirectoryTests
{
    private string _parent = null!;

    [SetUp]
    public void Make() => _parent = Directory.CreateTempSubdirectory("tbt-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(_parent, recursive: true);

    [Test]
    public void Remove_own_directory_is_gone_with_all_it_holds()
    {
        string path = TestNetworkDirectory.Create(Path.Combine(_parent, "net"));
        File.WriteAllText(Path.Combine(path, "file"), "");
        Assert.That(TestNetworkDirectory.IsOurs(path), Is.True);

        TestNetworkDirectory.Remove(path);

        Assert.That(Directory.Exists(path), Is.False);
    }

    [Test]
    public void Remove_foreign_directory_is_left_alone()
    {
        TestNetworkDirectory.Remove(_parent);
        Assert.That(Directory.Exists(_parent), Is.True);
    }

    [Test]
    public void Create_in_a_directory_with_files_is_refused()
    {
        File.WriteAllText(Path.Combine(_parent, "file"), "");
        Assert.That(
            () => TestNetworkDirectory.Create(_parent), Throws.InstanceOf<TestNetworkException>().With.Message.Contain("not empty"));
    }

    [TestCase("with space")]
    [TestCase("with#hash")]
    [TestCase("far-too-long-for-a-socket-far-too-long-for-a-socket-far-too-long-for-a-socket-far-too-long")]
    public void Create_name_that_tor_cannot_take_is_refused_and_makes_nothing(string name)
    {
        string path = Path.Combine(_parent, name);
        Assert.That(() => TestNetworkDirectory.Create(path), Throws.InstanceOf<TestNetworkException>());
        Assert.That(Directory.Exists(path), Is.False);
    }
}
