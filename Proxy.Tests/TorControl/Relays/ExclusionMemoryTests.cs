using System.Runtime.Versioning;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using static TorBalancer.Tests.TorControl.Relays.RelayBlacklistTests;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>A daemon that is killed leaves its exits in tor's options; the next one puts back what was there before.</summary>
[SupportedOSPlatform("linux")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ExclusionMemoryTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("tbx");

    private string Kept => Path.Combine(_root.FullName, "exclusions");

    private static string Item(int exit) => "$" + Exit(exit).Fingerprint;

    public void Dispose() => _root.Delete(recursive: true);

    [TestCase("exits")]
    [TestCase("off", Description = "also when nothing is excluded any more")]
    [CancelAfter(30_000)]
    public async Task Operator_s_value_is_back_after_a_kill(string relays, CancellationToken token)
    {
        await using var tor = await LeaveBehindAsync("{de}", token);
        tor.Options.Relays = relays;
        await tor.RestartAsync();
        await tor.Log.WaitForAsync("ExclusionRecovered", 1, token);
        Assert.That((tor.Excluded, Directory.GetFiles(Kept).Length), Is.EqualTo(("{de}", 0)));
    }

    [Test, CancelAfter(30_000)]
    public async Task Value_that_somebody_set_since_is_his(CancellationToken token)
    {
        await using var tor = await LeaveBehindAsync("{de}", token);
        tor.Excluded = "{fr}," + Item(5);
        await tor.RestartAsync();
        await WatchedTor.UntilAsync(() => tor.Service.FactsOf("w") is { IsConnected: true }, token);

        Assert.That(tor.Excluded, Is.EqualTo("{fr}," + Item(5)));
        Assert.That(Directory.GetFiles(Kept), Is.Empty, "what it remembered is over");
        await tor.Service.DisposeAsync();
        Assert.That(tor.Excluded, Is.EqualTo("{fr}," + Item(5)));
    }

    [Test, CancelAfter(30_000)]
    public async Task Clean_stop_leaves_nothing(CancellationToken token)
    {
        var tor = await LeaveBehindAsync("", token);
        await tor.RestartAsync();
        await tor.Log.WaitForAsync("ExclusionRecovered", 1, token);
        Assert.That(tor.Excluded, Is.Empty);
        await tor.DisposeAsync();
        Assert.That(Directory.GetFiles(Kept), Is.Empty);
    }

    [Test]
    public void Record_is_read_as_it_was_written_and_only_by_its_owner()
    {
        using var log = new ListLogger();
        var record = new ExclusionRecord("{de},$" + new string('A', 40), ["x", "{de},y"]);
        Memory(log).Write(record);
        Memory(log).Write(record);
        var read = Memory(log).Read();

        Assert.That((read?.OperatorValue, read is null ? "" : string.Join('|', read.Ours)), Is.EqualTo((record.OperatorValue, "x|{de},y")));
        Assert.That(File.GetUnixFileMode(Directory.GetFiles(Kept).Single()), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        Assert.That(ExclusionMemory.In(Kept, "w", "127.0.0.1:2", log.CreateLogger("x")).Read(), Is.Null, "another tor");
        Memory(log).Forget();
        Assert.That(Memory(log).Read(), Is.Null);
    }

    [Test]
    public void Directory_that_cannot_be_made_is_said_and_nothing_else()
    {
        using var log = new ListLogger();
        File.WriteAllText(Kept, "in the way");
        Memory(log).Write(new ExclusionRecord("", ["x"]));
        Assert.That(Memory(log).Read(), Is.Null);
        Assert.That(log.OfEvent("NotRemembered"), Is.Not.Empty);
    }

    private ExclusionMemory Memory(ListLogger log) => ExclusionMemory.In(Kept, "w", "127.0.0.1:1", log.CreateLogger("x"));

    /// <summary>tor and directory as a killed daemon leaves them: a clean stop is undone.</summary>
    private async Task<WatchedTor> LeaveBehindAsync(string operatorValue, CancellationToken token)
    {
        var tor = await new WatchedTor(new BlacklistOptions(), Kept) { Excluded = operatorValue }.ReadyAsync(token);
        await tor.ListAsync(5, 100, token);
        string both = operatorValue.Length == 0 ? Item(5) : $"{operatorValue},{Item(5)}";
        await tor.AdvanceUntilAsync(() => tor.Excluded == both, token);
        var files = Directory.GetFiles(Kept).ToDictionary(static path => path, File.ReadAllBytes);
        Assert.That(files, Has.Count.EqualTo(1));
        await tor.Service.DisposeAsync();
        Assert.That(tor.Excluded, Is.EqualTo(operatorValue));
        Assert.That(Directory.GetFiles(Kept), Is.Empty);

        tor.Excluded = both;
        foreach (var (path, bytes) in files)
            File.WriteAllBytes(path, bytes);
        return tor;
    }
}
