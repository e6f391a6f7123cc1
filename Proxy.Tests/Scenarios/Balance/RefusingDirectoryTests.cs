using System.Globalization;
using System.Runtime.Versioning;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>Real directories that do not take a descriptor: the publisher says which, tries again, and they have it in the end.</summary>
[SupportedOSPlatform("linux")]
public sealed class RefusingDirectoryTests
{
    // Revision counters rise by so much each second, on the average.
    private const int EachSecond = 32_768;

    /// <summary>A relay with a greater revision counter answers 400; tor makes UPLOAD_REJECTED of it.</summary>
    [Test, CancelAfter(300_000)]
    public async Task Directory_with_a_newer_descriptor_refuses_and_has_ours_in_the_end(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        using var identity = IdentityKey.Generate();
        await using var fleet = await BackendFleet.StartAsync(network, [identity.Address], 2, 2, token);
        await using var publisher = await OnionPublisher.StartAsync(network, identity, fleet.Addresses, token);
        await publisher.PublishedAsync(2, token);
        var client = OnionClient.AllOf(network)[^1];

        // A machine that is slow may be past what the directory has when it comes to the next version.
        string? refusing = null;
        ulong planted = 0;
        for (bool drains = true; refusing is null; drains = !drains)
        {
            var first = (await publisher.ViewAsync(token))!.Services[0].Descriptors[0];
            string directory = first.Directories[0].Fingerprint;
            planted = ulong.Parse(first.Revision, CultureInfo.InvariantCulture) + (60 * EachSecond);
            if (!await PlantAsync(client, identity, first, directory, planted, token))
                continue;
            await SteerAsync(publisher, drains, token);
            var after = await UntilAsync(
                publisher,
                view => First(view).Revision != first.Revision
                    && DirectoryOf(view, directory) is not { State: "waiting" or "underway", Failures: 0 },
                token);
            if (DirectoryOf(after, directory) is { Failures: > 0, Problem: "UPLOAD_REJECTED" })
                refusing = directory;
        }

        var (code, shown) = await StatusAsync(publisher, token);
        TestContext.Out.WriteLine(shown);
        var done = await UntilAsync(publisher, static view => view.Services[0].HasPublished(), token);
        TestContext.Out.WriteLine(publisher);

        Assert.That(
            publisher.ToString(), Does.Contain($"descriptor did not get to directory {refusing}: UPLOAD_REJECTED. It is tried again"));
        if (code != 0)
            Assert.That(shown, Does.Match($"{refusing} (waiting|underway|refused): UPLOAD_REJECTED"));
        Assert.That(DirectoryOf(done, refusing), Has.Property(nameof(DirectoryView.State)).EqualTo("uploaded"));
        Assert.That(ulong.Parse(First(done).Revision, CultureInfo.InvariantCulture), Is.GreaterThan(planted));
    }

    /// <summary>A relay that stands still: nobody answers until it goes on.</summary>
    [Test, CancelAfter(300_000)]
    public async Task Directory_that_stands_still_is_tried_again_until_it_has_it(CancellationToken token)
    {
        var network = await SharedTestNetwork.GetAsync();
        using var identity = IdentityKey.Generate();
        await using var fleet = await BackendFleet.StartAsync(network, [identity.Address], 2, 2, token);
        await using var publisher = await OnionPublisher.StartAsync(network, identity, fleet.Addresses, token);
        await publisher.PublishedAsync(2, token);

        // An exit: nobody's guard, whose pause would stop all uploads.
        var view = (await publisher.ViewAsync(token))!;
        var still = network.Exits.FirstOrDefault(exit => DirectoryOf(view, exit.Fingerprint) is not null);
        Assume.That(still, Is.Not.Null, "of the directories of the first descriptor one is an exit");
        string directory = still!.Fingerprint;
        network.Pause(still.Name);
        try
        {
            await SteerAsync(publisher, drains: true, token);
            await UntilAsync(publisher, one => DirectoryOf(one, directory) is { Failures: > 0 }, token);
            await UntilAsync(
                publisher,
                one => First(one).Directories.All(other => other.Fingerprint == directory || other.State == "uploaded"), token);
            var (code, shown) = await StatusAsync(publisher, token);
            TestContext.Out.WriteLine(shown);
            Assert.That(code, Is.EqualTo(1));
            int all = First(view).Directories.Count;
            Assert.That(shown, Does.Contain($"first descriptor: at {all - 1} of {all} directories, 1 instances"));
            Assert.That(shown, Does.Match($"{directory} (waiting|underway): "));
        }
        finally
        {
            network.Resume(still.Name);
        }

        var done = await UntilAsync(publisher, static one => one.Services[0].HasPublished() && First(one).Instances.Count == 1, token);
        TestContext.Out.WriteLine(publisher);
        Assert.That(DirectoryOf(done, directory)!.Uploaded, Is.Not.Null);
        Assert.That((await StatusAsync(publisher, token)).Code, Is.Zero);
    }

    private static DescriptorView First(PublisherView view) => view.Services[0].Descriptors[0];

    private static DirectoryView? DirectoryOf(PublisherView view, string fingerprint) =>
        First(view).Directories.FirstOrDefault(one => one.Fingerprint == fingerprint);

    private static async Task<PublisherView> UntilAsync(OnionPublisher publisher, Func<PublisherView, bool> holds, CancellationToken token)
    {
        while (true)
        {
            if (await publisher.ViewAsync(token) is { } view && holds(view))
                return view;
            await Task.Delay(50, token);
        }
    }

    /// <summary>Makes it make a new version at once, or soon.</summary>
    private static async Task SteerAsync(OnionPublisher publisher, bool drains, CancellationToken token)
    {
        var done = await ProgramRun.RunAsync(
            ProgramRun.Daemon, ["onion", drains ? "drain" : "enable", "main", "node1", "--config", publisher.ConfigurationPath], token);
        Assert.That(done.ExitCode, Is.Zero, done.Error);
    }

    private static async Task<(int Code, string Output)> StatusAsync(OnionPublisher publisher, CancellationToken token)
    {
        var done = await ProgramRun.RunAsync(ProgramRun.Daemon, ["onion", "status", "--config", publisher.ConfigurationPath], token);
        return (done.ExitCode, done.Output);
    }

    /// <summary>Gives a directory a descriptor of the same key that is newer. False when the time period has just changed.</summary>
    private static async Task<bool> PlantAsync(
        OnionClient client, IdentityKey identity, DescriptorView like, string directory, ulong revision, CancellationToken token)
    {
        await using var control = await client.ConnectAsync(token);
        using var source = await DescriptorSource.OpenAsync(control, TimeSpan.FromSeconds(30), TimeProvider.System, token);
        var (consensus, isTesting, error) = await source.ReadNetworkAsync(token);
        Assert.That(consensus, Is.Not.Null, error);
        var period = new PeriodSchedule(consensus!, isTesting).Term(DescriptorOrder.First).Period;
        if (period.Number != like.Period)
            return false;
        using var events = control.Subscribe();
        string text = DescriptorBuilder.Build(
            identity, new DescriptorDraft { Period = period, RevisionCounter = revision, IntroductionPoints = Instances.Make(3) },
            TimeProvider.System.GetUtcNow()).Text;
        await control.PostDescriptorAsync(identity.Address.Label, [directory], text, token);
        await foreach (var one in events.Events.ReadAllAsync(token))
        {
            if (one is HsDescEvent { Action: "UPLOADED" or "FAILED" } ended && ended.Address == identity.Address.Label)
                return ended.Action == "UPLOADED";
        }

        return false;
    }
}
