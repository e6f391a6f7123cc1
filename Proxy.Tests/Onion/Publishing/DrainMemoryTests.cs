using System.Runtime.Versioning;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>What is drained stays so when the publisher begins anew.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[SupportedOSPlatform("linux")]
public sealed class DrainMemoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tbd").FullName;
    private readonly ListLogger _log = new();
    private DrainMemory _memory;

    public DrainMemoryTests() => _memory = Memory();

    private string FilePath => Path.Combine(_directory, "state", "drained");

    private IEnumerable<string> Messages => _log.Entries.Select(static one => one.Message);

    public void Dispose()
    {
        _log.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Test]
    public void Drained_instance_stays_out_over_a_restart_until_it_is_enabled()
    {
        var first = new PublisherHarness(3);
        first.Start();
        var since = first.Now;
        Drain(first, "n1", isDrained: true);

        var second = Restarted();
        var drained = Instance(second, "n1");
        Assert.That(drained.DrainedSince, Is.EqualTo(since));
        second.Start();
        Assert.That(second.Service.Version(DescriptorOrder.First)!.Instances, Is.EquivalentTo(new[] { "n0", "n2" }));
        Assert.That(
            PublisherView.Of(second.State, second.Counters, _memory, "0.4.9.14", second.Now).Services[0].Instances
                .Select(static one => (one.Name, one.Drained, one.DrainedSince)),
            Is.EqualTo(new[] { ("n0", false, null), ("n1", true, (DateTimeOffset?)since), ("n2", false, null) }));
        Drain(second, "n1", isDrained: false);

        var third = Restarted();
        Assert.That(third.Service.Instances.Select(static one => one.IsDrained), Is.All.False);
        Assert.That(Messages, Is.Empty);
    }

    [Test]
    public void Drained_instance_that_is_dead_holds_no_first_descriptor_back()
    {
        var before = new PublisherHarness(3);
        Drain(before, "n1", isDrained: true);

        var harness = Restarted();
        harness.IsFound = static one => one.State.Name == "n1" ? null : true;
        harness.Turn();
        harness.Pass(PublishTiming.Testing.GatherTime / 2);

        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EquivalentTo(new[] { "n0", "n2" }));
    }

    [Test]
    public void File_is_for_its_user_alone_and_there_when_something_was_drained()
    {
        var harness = new PublisherHarness(2);
        _memory.Keep(harness.State);
        Assert.That(File.Exists(FilePath), Is.False);

        Drain(harness, "n0", isDrained: true);

        Assert.That(File.GetUnixFileMode(FilePath), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(FilePath)!), Has.Length.EqualTo(1));
        Assert.That(
            File.ReadAllLines(FilePath)[1],
            Is.EqualTo(
                $"{harness.Service.Identity.Address} {Instance(harness, "n0").State.Address} {harness.Now:yyyy-MM-ddTHH:mm:ssZ} shop/n0"));
    }

    [Test]
    public void Last_instance_that_is_left_is_not_drained_by_a_file()
    {
        // The third, which was in use, has been removed from the configuration since.
        var before = new PublisherHarness(3);
        Drain(before, "n0", isDrained: true);
        Drain(before, "n1", isDrained: true);

        var harness = new PublisherHarness(2);
        _memory.Restore(harness.State);

        Assert.That(harness.Service.Instances.Select(static one => one.IsDrained), Is.EqualTo(new[] { true, false }));
        Assert.That(
            Messages.Single(),
            Is.EqualTo($"{FilePath}:3 drains nothing: shop/n1 is the last instance of shop that is not drained"));
    }

    [Test]
    public void Lines_of_other_services_are_kept_and_those_of_instances_that_are_gone_are_not()
    {
        var harness = new PublisherHarness(2);
        var (mine, other) = (harness.Service.Identity.Address, Instance(harness, "n1").State.Address);
        string foreign = $"{other} {mine} 2026-11-20T08:00:00Z other/a";
        Write($"# a remark\n{foreign}\n{mine} {mine} 2026-11-20T08:00:00Z shop/gone\n");

        _memory.Restore(harness.State);
        Assert.That(Messages.Single(), Is.EqualTo($"{FilePath}:3 drains nothing: service shop has no instance {mine} any more"));
        _memory.Keep(harness.State);

        Assert.That(File.ReadAllLines(FilePath)[1..], Is.EqualTo(new[] { foreign }));

        // The other publisher has changed its own meanwhile.
        string later = foreign.Replace("other/a", "other/b", StringComparison.Ordinal);
        Write($"{later}\n");
        _memory.Keep(harness.State);
        Assert.That(File.ReadAllLines(FilePath)[1..], Is.EqualTo(new[] { later }));
    }

    [TestCase("what is this")]
    [TestCase("a.onion b.onion 2026-11-20T08:00:00Z shop/n0")]
    [TestCase("{0} {1}")]
    [TestCase("{0} {1} yesterday shop/n0")]
    public void Line_that_is_none_is_named_and_drains_nothing(string line)
    {
        var harness = new PublisherHarness(2);
        var (service, instance) = (harness.Service.Identity.Address, Instance(harness, "n0").State.Address);
        Write(line.Replace("{0}", $"{service}", StringComparison.Ordinal).Replace("{1}", $"{instance}", StringComparison.Ordinal));

        _memory.Restore(harness.State);

        Assert.That(harness.Service.Instances.Select(static one => one.IsDrained), Is.All.False);
        Assert.That(Messages.Single(), Does.StartWith($"{FilePath}:1 drains nothing: it is not SERVICE.onion INSTANCE.onion TIME"));
    }

    [Test]
    public void Directory_that_cannot_be_had_is_named_and_the_drain_holds()
    {
        File.WriteAllText(Path.GetDirectoryName(FilePath)!, "a file in its way");
        var harness = new PublisherHarness(2);
        harness.Start();

        harness.State.Drain(Instance(harness, "n0"), isDrained: true, harness.Now);
        _memory.Keep(harness.State);

        Assert.That(_memory.Problem, Is.Not.Empty);
        Assert.That(Messages.Single(), Does.StartWith($"Which instances are drained cannot be kept in {FilePath}, and the next"));
        Assert.That(
            PublisherView.Of(harness.State, harness.Counters, _memory, "0.4.9.14", harness.Now).DrainsNotKept, Is.EqualTo(_memory.Problem));
        harness.Pass(TimeSpan.FromSeconds(5));
        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EqualTo(new[] { "n1" }));

        File.Delete(Path.GetDirectoryName(FilePath)!);
        _memory.Keep(harness.State);
        Assert.That(_memory.Problem, Is.Null);
    }

    [Test]
    public void File_that_cannot_be_read_is_named_and_drains_nothing()
    {
        Write(new string('x', 2_000_000), FilePath + "2");
        var harness = new PublisherHarness(2);

        var memory = new DrainMemory(FilePath + "2", _log.CreateLogger("drains"));
        memory.Restore(harness.State);

        Assert.That(harness.Service.Instances.Select(static one => one.IsDrained), Is.All.False);
        Assert.That(Messages.Single(), Does.StartWith("Which instances were drained before this start cannot be read"));

        // Nobody's knowledge of what was drained is lost with the next drain.
        memory.Keep(harness.State);
        Assert.That(new FileInfo(FilePath + "2.unread").Length, Is.EqualTo(2_000_000));
        Assert.That(File.ReadAllLines(FilePath + "2"), Has.Length.EqualTo(1));
    }

    private DrainMemory Memory() => new(FilePath, _log.CreateLogger("drains"));

    private static InstanceWatch Instance(PublisherHarness harness, string name) =>
        harness.Service.Instances.Single(one => one.State.Name == name);

    private PublisherHarness Restarted()
    {
        var harness = new PublisherHarness(3);
        _memory = Memory();
        _memory.Restore(harness.State);
        return harness;
    }

    private void Drain(PublisherHarness harness, string name, bool isDrained)
    {
        Assert.That(harness.State.Drain(Instance(harness, name), isDrained, harness.Now), Is.Null);
        _memory.Keep(harness.State);
        Assert.That(_memory.Problem, Is.Null);
    }

    private void Write(string text, string? path = null)
    {
        Directory.CreateDirectory(_directory + "/state", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.WriteAllText(path ?? FilePath, text);
    }
}
