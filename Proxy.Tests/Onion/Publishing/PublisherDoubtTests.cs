using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>What the publisher does when clock, tor and directories leave it in doubt.</summary>
public class PublisherDoubtTests
{
    private static readonly InstanceCheck Tcp = new(InstanceCheckKind.Tcp, 80, "");

    [Test]
    public void Time_to_gather_instances_begins_when_tor_can_be_asked()
    {
        var harness = new PublisherHarness(2);
        harness.Now = harness.Now.AddMinutes(10);
        harness.IsFound = static one => one.State.Name == "n1" ? null : true;

        harness.Turn();
        harness.Pass(PublishTiming.Testing.GatherTime - TimeSpan.FromSeconds(2));
        Assert.That(harness.Service.Version(DescriptorOrder.First), Is.Null);
        harness.Pass(TimeSpan.FromSeconds(5));

        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EqualTo(new[] { "n0" }));
    }

    [Test]
    public void One_directory_that_does_not_know_an_instance_is_not_the_last_word()
    {
        var harness = new PublisherHarness(2);
        harness.IsFound = static one => one.State.Name != "n1";
        harness.Turn();
        using var identity = OnionVectors.BalancedIdentity;
        harness.TellContent(harness.Service.Identity.Address, DescriptorBuilder.Build(
            identity,
            new DescriptorDraft { Period = OnionVectors.BalancedPeriod, RevisionCounter = 1, IntroductionPoints = Instances.Make(3) },
            harness.Now).Text);

        harness.Pass(TimeSpan.FromSeconds(1));
        Assert.That(harness.Service.Own.IsOver, Is.True);
        Assert.That(harness.Service.Version(DescriptorOrder.First), Is.Null, "tor goes on to the next directory");
        harness.TellPublished(harness.Service.Instances[1]);
        harness.Turn();

        Assert.That(harness.Service.Version(DescriptorOrder.First)!.Instances, Is.EquivalentTo(new[] { "n0", "n1" }));
    }

    [Test]
    public void Clock_that_is_set_back_stops_nothing()
    {
        var harness = new PublisherHarness(2, check: Tcp);
        harness.Directory = static _ => null;
        harness.Start();
        var before = harness.Service.Version(DescriptorOrder.First)!;
        Assert.That(before.Uploads.Select(static one => one.State), Does.Contain(UploadState.UnderWay));
        var (fetches, checks) = (harness.Counters.Fetches, harness.Counters.Checks);

        harness.Now = harness.Now.AddHours(-1);
        harness.Directory = static _ => "UPLOADED";
        harness.Pass(TimeSpan.FromSeconds(10));

        var version = harness.Service.Version(DescriptorOrder.First)!;
        Assert.Multiple(() =>
        {
            Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
            Assert.That(version.BuiltAt, Is.LessThan(before.BuiltAt));
            Assert.That(version.Revision, Is.GreaterThan(before.Revision));
            Assert.That(harness.Counters.Fetches, Is.GreaterThan(fetches));
            Assert.That(harness.Counters.Checks, Is.GreaterThan(checks));
        });
    }

    [Test]
    public void Refused_because_the_directory_took_it_without_an_answer_a_greater_counter_follows()
    {
        var harness = new PublisherHarness(2);
        string? unlucky = null;
        ulong taken = 0;
        harness.Directory = upload =>
        {
            if (upload.Version.Term.Order != DescriptorOrder.First || upload.To.Fingerprint != (unlucky ??= upload.To.Fingerprint))
                return "UPLOADED";
            if (upload.Version.Revision <= taken)
                return "UPLOAD_REJECTED";
            bool isFirst = taken == 0;
            taken = upload.Version.Revision;
            return isFirst ? null : "UPLOADED";
        };
        harness.Start();
        var first = harness.Service.Version(DescriptorOrder.First)!;

        harness.Pass(PublishTiming.Testing.UploadTimeout + TimeSpan.FromSeconds(20));

        var version = harness.Service.Version(DescriptorOrder.First)!;
        Assert.That(version.Revision, Is.GreaterThan(first.Revision));
        Assert.That(version.Uploads.Select(static one => one.State), Is.All.EqualTo(UploadState.Uploaded));
    }

    /// <summary>Whose it is cannot be fetched from any other: a tor's that has the key too, or that of the coming period.</summary>
    [Test]
    public void Directory_that_refuses_all_tries_gets_later_versions_until_one_passes_what_it_has()
    {
        const int ahead = 60, eachSecond = 32_768;
        var harness = new PublisherHarness(2);
        string? stubborn = null;
        ulong has = 0;
        harness.Directory = upload =>
        {
            stubborn ??= upload.To.Fingerprint;
            has = has == 0 ? upload.Version.Revision + (ahead * eachSecond) : has;
            return upload.To.Fingerprint == stubborn && upload.Version.Revision <= has ? "UPLOAD_REJECTED" : "UPLOADED";
        };
        harness.Start();
        var upload = harness.Service.Version(DescriptorOrder.First)!.Uploads.Single(one => one.Fingerprint == stubborn);
        Assert.That((upload.State, upload.Problem), Is.EqualTo((UploadState.Refused, "UPLOAD_REJECTED")));

        harness.Pass(TimeSpan.FromSeconds(ahead) + (PublishTiming.Testing.LastRetry * 2));

        Assert.That(
            Enum.GetValues<DescriptorOrder>().SelectMany(order => harness.Service.Version(order)!.Uploads).Select(static one => one.State),
            Is.All.EqualTo(UploadState.Uploaded));
    }

    [Test]
    public void Fetch_of_what_is_published_and_uploads_run_side_by_side_and_are_told_apart()
    {
        var harness = new PublisherHarness(2);
        harness.Directory = static _ => null;
        harness.Start();
        var upload = harness.Service.Version(DescriptorOrder.First)!.Uploads[0];
        string address = harness.Service.Identity.Address.Label;

        harness.Service.Own.Want();
        harness.Turn();
        Assert.That(harness.Service.Own.IsUnderWay, Is.True, "beside the uploads");
        harness.Tell($"REQUESTED {address} NO_AUTH ${upload.Fingerprint}~relay id");
        harness.Tell($"FAILED {address} NO_AUTH ${upload.Fingerprint} id REASON=UNEXPECTED");
        Assert.That((upload.State, harness.Counters.UploadsFailed), Is.EqualTo((UploadState.UnderWay, 0)));
        harness.Tell($"FAILED {address} NO_AUTH ${upload.Fingerprint} id REASON=UNEXPECTED");
        Assert.That((upload.Problem, harness.Counters.UploadsFailed), Is.EqualTo(("UNEXPECTED", 1)), "the fetch had its answer");

        var other = harness.Service.Version(DescriptorOrder.First)!.Uploads[1];
        harness.Tell($"UPLOADED {address} UNKNOWN ${other.Fingerprint}");
        Assert.That((other.State, harness.Service.Own.IsUnderWay), Is.EqualTo((UploadState.Uploaded, true)));
    }
}
