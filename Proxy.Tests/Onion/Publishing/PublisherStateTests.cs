using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>What the publisher decides, without a clock and without a tor.</summary>
public class PublisherStateTests
{
    private static readonly InstanceCheck Tcp = new(InstanceCheckKind.Tcp, 80, "");

    [Test]
    public void Both_descriptors_come_to_all_directories_with_one_revision_each_and_one_upload_at_a_time()
    {
        var harness = new PublisherHarness(3);
        var underWay = new HashSet<string>();
        harness.Directory = upload =>
        {
            Assert.That(underWay.Add(upload.To.Fingerprint), Is.True, "two descriptors are under way to one directory");
            underWay.Remove(upload.To.Fingerprint);
            return "UPLOADED";
        };

        harness.Start();

        Assert.Multiple(() =>
        {
            foreach (var order in Enum.GetValues<DescriptorOrder>())
            {
                var version = harness.Service.Version(order)!;
                Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
                Assert.That(version.Uploads, Has.Count.EqualTo(8));
                var read = version.Uploads.Select(one => OnionDescriptor.Read(one.Text, harness.Now, out _)!).ToArray();
                Assert.That(read.Select(static one => one.RevisionCounter), Is.All.EqualTo(version.Revision));
                Assert.That(
                    harness.PointsOf(version.Uploads[0].Text).GroupBy(harness.InstanceOf).Select(static one => one.Count()),
                    Is.EqualTo(new[] { 3, 3, 3 }));
                Assert.That(read[0].Open(harness.Service.Identity.Address, harness.Now, out _)!.FlowControl, Is.EqualTo("1-2 31"));
            }

            Assert.That(harness.Counters.UploadsDone, Is.EqualTo(16));
        });
    }

    [Test]
    public void Nothing_is_published_before_all_instances_are_judged_or_the_time_is_up()
    {
        var harness = new PublisherHarness(3, check: Tcp);
        harness.Check = one => one.State.Name == "n2" ? null : true;
        harness.IsFound = static one => one.State.Name != "n1";

        harness.Turn();
        Assert.That(harness.Taken, Is.Empty, "the address's own descriptor was asked for a moment ago");
        harness.Pass(PublishTiming.Testing.FetchSilence + TimeSpan.FromSeconds(2));

        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EquivalentTo(new[] { "n0", "n2" }));
    }

    [Test]
    public void Failed_upload_is_tried_again_and_the_others_are_not()
    {
        var harness = new PublisherHarness(2);
        int tries = 0;
        string? unlucky = null;
        harness.Directory = upload =>
        {
            unlucky ??= upload.To.Fingerprint;
            return upload.To.Fingerprint == unlucky && upload.Version.Term.Order == DescriptorOrder.First && ++tries < 3
                ? "UNEXPECTED"
                : "UPLOADED";
        };

        harness.Start();

        var version = harness.Service.Version(DescriptorOrder.First)!;
        Assert.That(tries, Is.EqualTo(3));
        Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
        Assert.That(version.Uploads.Single(one => one.Fingerprint == unlucky).Failures, Is.EqualTo(2));
        Assert.That(
            harness.Taken.Where(one => one.Version == version).CountBy(static one => one.Directory).Select(static one => one.Value),
            Is.All.EqualTo(1));
        Assert.That((harness.Counters.UploadsFailed, harness.Counters.UploadsDone), Is.EqualTo((2, 16)));
    }

    [Test]
    public void Upload_that_tor_says_nothing_of_is_tried_again()
    {
        var harness = new PublisherHarness(2);
        int silent = 0;
        harness.Directory = _ => silent++ < 4 ? null : "UPLOADED";

        harness.Start();
        Assert.That(harness.Counters.UploadsDone, Is.EqualTo(12));
        harness.Pass(PublishTiming.Testing.UploadTimeout + TimeSpan.FromSeconds(5));

        Assert.That(harness.Counters.UploadsDone, Is.EqualTo(16));
    }

    [Test]
    public void Refused_by_a_directory_that_has_a_newer_one_the_publisher_goes_on_above_it()
    {
        var harness = new PublisherHarness(2);
        harness.Start();
        var first = harness.Service.Version(DescriptorOrder.First)!;
        using var other = OnionVectors.BalancedIdentity;
        ulong theirs = first.Revision + 1_000_000_000;
        string foreign = DescriptorBuilder.Build(
            other,
            new DescriptorDraft { Period = OnionVectors.BalancedPeriod, RevisionCounter = theirs, IntroductionPoints = Instances.Make(3) },
            harness.Now).Text;
        var current = new PeriodSchedule(harness.State.Consensus!, isTestingNetwork: true).Current;
        Assert.That(current, Is.EqualTo(OnionVectors.BalancedPeriod), "what clients use, and what can be fetched");
        harness.Directory = upload => upload.Version.Term.Period == current && upload.Version.Revision <= theirs
            ? "UPLOAD_REJECTED"
            : "UPLOADED";

        harness.Republish(harness.Service.Instances[0]);
        harness.Pass(TimeSpan.FromSeconds(60));
        Assert.That(harness.Service.Own.IsUnderWay || harness.Service.Own.IsOver, Is.True);
        harness.TellContent(harness.Service.Identity.Address, foreign);
        harness.Pass(TimeSpan.FromSeconds(10));

        var versions = Enum.GetValues<DescriptorOrder>().Select(one => harness.Service.Version(one)!);
        var version = versions.Single(one => one.Term.Period == current);
        Assert.That(version.Revision, Is.EqualTo(theirs + 1));
        Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
    }

    [Test]
    public void Drained_instance_is_out_at_once_and_the_last_one_stays()
    {
        var harness = new PublisherHarness(2);
        harness.Start();
        var before = harness.Service.Version(DescriptorOrder.First)!;

        Assert.That(harness.State.Drain(harness.Service.Instances[0], isDrained: true, harness.Now), Is.Null);
        harness.Pass(TimeSpan.FromSeconds(2));
        var version = harness.Service.Version(DescriptorOrder.First)!;
        Assert.That(version.Instances, Is.EqualTo(new[] { "n1" }));
        Assert.That(version.Revision, Is.GreaterThan(before.Revision));
        Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
        Assert.That(
            harness.State.Drain(harness.Service.Instances[1], isDrained: true, harness.Now),
            Does.StartWith("shop/n1 is the last instance of shop that is not drained"));

        harness.State.Drain(harness.Service.Instances[0], isDrained: false, harness.Now);
        harness.Pass(TimeSpan.FromSeconds(5));
        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EquivalentTo(new[] { "n0", "n1" }));
    }

    [Test]
    public void Instance_whose_checks_fail_is_out_within_the_promise_and_back_when_they_pass()
    {
        var harness = new PublisherHarness(3, check: Tcp);
        harness.Start();
        harness.Check = static one => one.State.Name != "n1";
        var died = harness.Now;

        while (harness.Service.Version(DescriptorOrder.First)!.Instances.Contains("n1") && harness.Now < died.AddMinutes(5))
            harness.Pass(TimeSpan.FromSeconds(1));

        // A check that hangs takes its whole time-out, twice, besides.
        var timing = PublishTiming.Testing;
        Assert.That(harness.Now - died, Is.LessThanOrEqualTo(timing.CheckInterval + timing.SuspectCheckInterval + timing.MinRebuild));
        Assert.That(
            timing.CheckInterval + timing.SuspectCheckInterval + timing.MinRebuild + (2 * timing.CheckTimeout) + timing.UploadTimeout,
            Is.LessThanOrEqualTo(TimeSpan.FromSeconds(90)));
        harness.Check = static _ => true;
        harness.Pass(TimeSpan.FromSeconds(20));
        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Does.Contain("n1"));
    }

    [Test]
    public void When_all_seem_dead_none_is_taken_out()
    {
        var harness = new PublisherHarness(2, check: Tcp);
        harness.Start();
        harness.Check = static _ => false;

        harness.Pass(TimeSpan.FromSeconds(60));

        Assert.That(harness.Service.AreAllDown, Is.True);
        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Has.Count.EqualTo(2));
    }

    [Test]
    public void Instance_that_three_directories_do_not_know_is_out()
    {
        var harness = new PublisherHarness(2);
        harness.Start();
        harness.IsFound = static one => one.State.Name != "n1";

        harness.Pass(TimeSpan.FromSeconds(60));

        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EqualTo(new[] { "n0" }));
        var (health, reason) = harness.Service.Instances[1].HealthAt(harness.Now, harness.State.Timing);
        Assert.That(health, Is.EqualTo(InstanceHealth.Down));
        Assert.That(reason, Does.EndWith("directories in a row did not know it"));
    }

    [Test]
    public void Instance_whose_checks_pass_stays_when_directories_do_not_know_it()
    {
        var harness = new PublisherHarness(2, check: Tcp);
        harness.Start();
        harness.IsFound = static one => one.State.Name != "n1";

        harness.Pass(TimeSpan.FromSeconds(60));
        var (health, reason) = harness.Service.Instances[1].HealthAt(harness.Now, harness.State.Timing);
        Assert.That((health, reason), Is.EqualTo((InstanceHealth.Suspect, "a directory did not know it")));
        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EquivalentTo(new[] { "n0", "n1" }));

        // Checks that cannot be made say nothing, and soon the last one that passed says nothing any more.
        harness.Check = static _ => null;
        harness.Pass(TimeSpan.FromSeconds(60));
        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EqualTo(new[] { "n0" }));
    }

    [Test]
    public void New_introduction_points_age_and_other_directories_make_a_new_version()
    {
        var harness = new PublisherHarness(2);
        harness.Start();
        ulong Revision() => harness.Service.Version(DescriptorOrder.First)!.Revision;
        ulong last = Revision();

        harness.Pass(TimeSpan.FromMinutes(1));
        Assert.That(Revision(), Is.EqualTo(last), "nothing changed");

        harness.Republish(harness.Service.Instances[0]);
        harness.Pass(PublishTiming.Testing.FetchInterval + TimeSpan.FromSeconds(3));
        Assert.That(Revision(), Is.GreaterThan(last));
        last = Revision();

        harness.State.ConsensusRead(PublisherHarness.Consensus(24, first: 12), null, harness.Now);
        harness.Pass(TimeSpan.FromSeconds(3));
        Assert.That(Revision(), Is.GreaterThan(last));
        Assert.That(
            harness.Service.Version(DescriptorOrder.First)!.Uploads.Select(static one => one.State),
            Is.All.EqualTo(UploadState.Uploaded));
        last = Revision();

        harness.Pass(PublishTiming.Testing.RepublishAge + TimeSpan.FromSeconds(2));
        Assert.That(Revision(), Is.GreaterThan(last));
    }

    [Test]
    public void Publishers_with_one_key_come_to_the_same_descriptors()
    {
        var one = new PublisherHarness(4);
        one.Start();

        // The other one has them in another order.
        var live = one.Service.Instances
            .Select(instance => (instance.State.Live(one.Now, TimeSpan.MaxValue)!, instance.State.Content!)).ToArray();
        var schedule = new PeriodSchedule(one.State.Consensus!, isTestingNetwork: true);
        var directories = one.Service.Version(DescriptorOrder.First)!.Uploads.Select(static upload => upload.Directory).ToArray();
        foreach (var sets in new[] { DescriptorSets.One, DescriptorSets.Distinct })
        {
            string Keys(IEnumerable<(InstancePoints, DescriptorContent)> from) => string.Join('|', ServicePlan.Of([.. from], sets)
                .PointsFor(directories, 3, schedule.Current)
                .Select(static points => string.Join(',', points.Select(static point => point.AuthenticationKey.Key))));

            Assert.That(Keys(live.Reverse()), Is.EqualTo(Keys(live)));
        }
    }

    [TestCase(21)]
    [TestCase(40)]
    [TestCase(60)]
    public void Many_instances_have_distinct_descriptors_of_one_revision_with_even_load(int count)
    {
        var harness = new PublisherHarness(count);
        harness.Start();
        harness.Pass(TimeSpan.FromSeconds(5));

        foreach (var order in Enum.GetValues<DescriptorOrder>())
        {
            var version = harness.Service.Version(order)!;
            Assert.That(version.IsDistinct, Is.True);
            Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
            var shares = new Dictionary<string, double>();
            foreach (var upload in version.Uploads)
            {
                Assert.That(OnionDescriptor.Read(upload.Text, harness.Now, out _)!.RevisionCounter, Is.EqualTo(version.Revision));
                var points = harness.PointsOf(upload.Text);
                Assert.That(points, Has.Count.InRange(1, 20));
                if (upload.Directory.Rank >= harness.State.Consensus!.SpreadFetch)
                    continue;

                // A client asks one of the directories, and tries the points of it in any order.
                foreach (var point in points)
                    shares[harness.InstanceOf(point)] = shares.GetValueOrDefault(harness.InstanceOf(point)) + (1.0 / points.Count / 6);
            }

            Assert.That(shares, Has.Count.EqualTo(count), "every instance is offered");
            TestContext.Out.WriteLine(
                $"{order}: {shares.Values.Min() * count:0.000} to {shares.Values.Max() * count:0.000} of an even share");
            Assert.That(shares.Values.Min() * count, Is.GreaterThan(0.8));
            Assert.That(shares.Values.Max() * count, Is.LessThan(1.2));
        }
    }

    [Test]
    public void Wrong_clock_and_a_stale_consensus_are_named_and_nothing_is_done()
    {
        var harness = new PublisherHarness(2);
        harness.Start();
        harness.Now = harness.Now.AddDays(2);
        harness.State.ConsensusRead(PublisherHarness.Consensus(24), null, harness.Now);
        Assert.That(harness.State.Problem, Does.StartWith("the consensus is valid until 2026-11-20 12:00:00Z, and it is 2026-11-22"));
        Assert.That(harness.State.Step(harness.Now), Is.Empty);

        harness.Now = harness.Now.AddDays(-4);
        harness.State.ConsensusRead(PublisherHarness.Consensus(24), null, harness.Now);
        Assert.That(harness.State.Problem, Does.Contain("before the consensus of 2026-11-20 09:00:00Z: set the clock"));
        Assert.That(harness.State.Step(harness.Now), Is.Empty);

        harness.State.ConsensusRead(PublisherHarness.Consensus(24) with { DirectoriesWithoutIdentity = 5 }, null, harness.Now.AddDays(2));
        Assert.That(harness.State.Problem, Is.EqualTo("of 5 directories tor has no microdescriptor yet"));
    }

    [Test]
    public void Tor_that_goes_away_is_asked_again_when_it_is_back()
    {
        var harness = new PublisherHarness(2);
        harness.Directory = static _ => null;
        harness.Start();
        Assert.That(harness.Taken, Is.Empty);

        harness.State.Disconnected("gone", harness.Now);
        Assert.That(harness.State.Step(harness.Now), Is.Empty);
        harness.State.Connected(isTestingNetwork: true);
        harness.State.ConsensusRead(PublisherHarness.Consensus(24), null, harness.Now);
        harness.Directory = static _ => "UPLOADED";
        harness.Pass(TimeSpan.FromSeconds(5));

        Assert.That(harness.Counters.UploadsDone, Is.EqualTo(16));
    }

    [Test]
    public void Descriptor_of_another_service_and_a_broken_one_change_nothing()
    {
        var harness = new PublisherHarness(2);
        harness.Start();
        var before = harness.Service.Version(DescriptorOrder.First);
        var (mine, other) = (harness.Service.Instances[0], harness.Service.Instances[1]);

        harness.TellContent(mine.State.Address, Instances.All[0].Text);
        harness.TellContent(other.State.Address, "hs-descriptor 3\nnothing more\n");
        harness.Pass(TimeSpan.FromSeconds(3));

        Assert.That(harness.Counters.DescriptorsRefused, Is.EqualTo(2));
        Assert.That(mine.FetchProblem, Does.Contain("is not signed by"));
        Assert.That(harness.Service.Version(DescriptorOrder.First), Is.SameAs(before));
    }
}
