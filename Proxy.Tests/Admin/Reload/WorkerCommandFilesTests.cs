using System.Globalization;
using System.Net;
using TorBalancer.Admin;
using TorBalancer.Admin.Reload;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin.Reload;

/// <summary>Commands about workers where the files, or the environment, say something else.</summary>
[CancelAfter(60_000)]
public sealed class WorkerCommandFilesTests
{
    private const string Main = "[Health]\nEnabled = no\n[Listener:main]\nAddress = 127.0.0.1:0\n";

    private FakeTorWorker _first = null!, _second = null!;

    [SetUp]
    public void StartWorkers() => (_first, _second) = (new FakeTorWorker(), new FakeTorWorker());

    [TearDown]
    public async Task StopWorkersAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Workers_that_wait_for_a_restart_are_not_changed_by_commands(bool wereConfigured)
    {
        var (with, without) = (Main + ReloadableProxy.Worker("a", _first), Main);
        await using var proxy = await ReloadableProxy.StartAsync(wereConfigured ? with : without);
        var commands = proxy.Get<AdminCommands>().Workers!;
        await proxy.ReloadAsync(wereConfigured ? without : with);
        var before = proxy.Pool.Snapshot.All.Select(static one => (one.Id, one.Model)).ToList();
        Assert.That(before, Has.Count.EqualTo(wereConfigured ? 1 : 0));
        foreach (bool save in (bool[])[false, true])
        {
            foreach (var refused in (WorkerOutcome[])
                [
                    await commands.AddAsync("b", [], save), await commands.SetWeightAsync("a", "3", save),
                    await commands.RemoveAsync("a", save),
                ])
            {
                Assert.That(refused.Refusal, Is.EqualTo(WorkerRefusal.Conflict));
                Assert.That(refused.Detail, Does.Contain("restart the daemon first"));
            }
        }

        Assert.That(proxy.Pool.Snapshot.All.Select(static one => (one.Id, one.Model)), Is.EqualTo(before));

        // And when the file is as it was, they are.
        await proxy.ReloadAsync(wereConfigured ? with : without);
        Assert.That((await commands.AddAsync("b", [], save: false)).Detail, Is.Empty);
        Assert.That(proxy.Pool.Find("b"), Is.Not.Null);
    }

    [Test]
    public async Task Saving_a_weight_writes_nothing_of_the_environment()
    {
        await using var proxy = await ReloadableProxy.StartAsync(
            Main + ReloadableProxy.Worker("a", _first),
            new Dictionary<string, string> { ["TORBALANCER_Worker__b__ControlPassword"] = "from-outside" });
        string file = Path.Combine(proxy.Directory, "workers.d", "b.conf");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(
            file,
            "; Saved by the admin API\n" + ReloadableProxy.Worker("b", _second, "ControlPort = 9\nReconnectCommand = \"true ; false\"\n"));
        await proxy.ReloadAsync(Main + ReloadableProxy.Worker("a", _first));
        var outcome = await proxy.Get<AdminCommands>().Workers!.SetWeightAsync("b", "4", save: true);
        Assert.That((outcome.Detail, outcome.Worker?.Model.Weight), Is.EqualTo(("", 4)));
        string text = await File.ReadAllTextAsync(file);
        Assert.That(text, Does.Not.Contain("from-outside").And.Contain("ControlPort = 9\n").And.Contain("\"true ; false\""));
        Assert.That(proxy.Running.Current.Given.Find("Worker:b", "ControlPassword")?.Text, Is.EqualTo("from-outside"));
    }
}
