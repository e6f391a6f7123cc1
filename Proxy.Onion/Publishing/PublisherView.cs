using System.Globalization;

namespace TorBalancer.Onion.Publishing;

/// <summary>The publisher's state for others. Members are the fields of the JSON; times are UTC, ISO 8601.</summary>
/// <param name="Tor">The version of the tor that is connected to; null: none.</param>
/// <param name="Problem">Why nothing is published at the moment; null: nothing is wrong.</param>
/// <param name="DrainsNotKept">Why the next start will not know which instances are drained; null: it will.</param>
internal sealed record PublisherView(
    string? Tor, bool TestingNetwork, string? Problem, string? DrainsNotKept, ConsensusView? Consensus,
    IReadOnlyList<ServiceView> Services, CountersView Counters)
{
    /// <param name="drains">Which keeps what is drained.</param>
    public static PublisherView Of(
        PublisherState state, PublishCounters counters, DrainMemory drains, string? tor, DateTimeOffset now) => new(
        tor,
        state.IsTestingNetwork,
        state.Problem,
        drains.Problem,
        state.Consensus is { } consensus
            ? new ConsensusView(
                consensus.ValidAfter, consensus.ValidUntil, consensus.Directories.Count, consensus.DirectoriesWithoutIdentity)
            : null,
        [.. state.Services.Select(service => ServiceView.Of(service, state.Timing, now))],
        CountersView.Of(counters));
}

/// <param name="Unplaced">Directories whose place in the hash ring is not known.</param>
internal sealed record ConsensusView(DateTimeOffset ValidAfter, DateTimeOffset ValidUntil, int Directories, int Unplaced);

/// <param name="Address">With .onion.</param>
/// <param name="PublishedBefore">Introduction points that were published when the publisher began; null: none were found.</param>
internal sealed record ServiceView(
    string Name, string Address, string? Problem, bool AllDown, int? PublishedBefore, IReadOnlyList<DescriptorView> Descriptors,
    IReadOnlyList<InstanceView> Instances)
{
    public static ServiceView Of(BalancedService service, PublishTiming timing, DateTimeOffset now) => new(
        service.Options.Name,
        service.Identity.Address.ToString(),
        service.Problem,
        service.AreAllDown,
        service.PointsBefore,
        [.. Enum.GetValues<Network.DescriptorOrder>().Select(service.Version).OfType<DescriptorVersion>().Select(DescriptorView.Of)],
        [.. service.Instances.Select(instance => InstanceView.Of(instance, timing, now))]);

    /// <summary>Both descriptors are at all their directories.</summary>
    public bool HasPublished() => Problem is null && Descriptors.Count == 2
        && Descriptors.All(static one => one.Directories.All(static directory => directory.State == "uploaded"));
}

/// <param name="Order">first or second.</param>
/// <param name="Distinct">Each directory has introduction points of its own.</param>
/// <param name="Attempted">When a directory was last told to take it.</param>
/// <param name="Instances">Those that have a place in it.</param>
internal sealed record DescriptorView(
    string Order, ulong Period, string Revision, bool Distinct, DateTimeOffset Built, DateTimeOffset? Attempted,
    IReadOnlyList<string> Instances, IReadOnlyList<DirectoryView> Directories)
{
    public static DescriptorView Of(DescriptorVersion version) => new(
        version.Term.Order.ToString().ToLowerInvariant(),
        version.Term.Period.Number,

        // More than the numbers of JSON hold exactly.
        version.Revision.ToString(CultureInfo.InvariantCulture),
        version.IsDistinct,
        version.BuiltAt,
        version.AttemptedAt,
        version.Instances,
        [.. version.Uploads.Select(DirectoryView.Of)]);
}

/// <param name="State">waiting, underway, uploaded or refused.</param>
/// <param name="Points">Introduction points in what it gets.</param>
/// <param name="Uploaded">When it last took one.</param>
internal sealed record DirectoryView(
    string Fingerprint, int Replica, int Rank, string State, int Points, DateTimeOffset? Uploaded, int Failures, string? Problem)
{
    public static DirectoryView Of(DirectoryUpload upload) => new(
        upload.Fingerprint, upload.Directory.Replica, upload.Directory.Rank, upload.State.ToString().ToLowerInvariant(), upload.Points,
        upload.UploadedAt, upload.Failures, upload.Problem);
}

/// <param name="Health">unknown, live, suspect or down.</param>
/// <param name="Reason">Why it is not well.</param>
/// <param name="DrainedSince">When it was drained; null: it is not.</param>
/// <param name="IntroductionPoints">In its last descriptor; null: none was received.</param>
/// <param name="Changed">When its introduction points last changed.</param>
/// <param name="NotKept">In the answer to drain and enable: why the next start will not know of it; null: it will.</param>
internal sealed record InstanceView(
    string Name, string Address, int Weight, string Health, string? Reason, bool Drained, DateTimeOffset? DrainedSince,
    int? IntroductionPoints, DateTimeOffset? Received, DateTimeOffset? Changed, DateTimeOffset? Checked, string? Check,
    string? NotKept = null)
{
    public static InstanceView Of(InstanceWatch instance, PublishTiming timing, DateTimeOffset now)
    {
        var (health, reason) = instance.HealthAt(now, timing);
        return new InstanceView(
            instance.State.Name, instance.State.Address.ToString(), instance.Weight, health.ToString().ToLowerInvariant(), reason,
            instance.IsDrained, instance.DrainedSince, instance.State.Content?.IntroductionPoints.Count, instance.State.ReceivedAt,
            instance.State.ChangedAt, instance.CheckedAt, instance.CheckDetail);
    }
}

/// <summary>What was done since the start; the numbers only rise.</summary>
internal sealed record CountersView(
    long Fetches, long FetchesReceived, long FetchesFailed, long DescriptorsRefused, long Uploads, long UploadsDone, long UploadsFailed,
    long Checks, long ChecksFailed, long VersionsBuilt)
{
    public static CountersView Of(PublishCounters counters) => new(
        Interlocked.Read(ref counters.Fetches), Interlocked.Read(ref counters.FetchesReceived),
        Interlocked.Read(ref counters.FetchesFailed),
        Interlocked.Read(ref counters.DescriptorsRefused), Interlocked.Read(ref counters.Uploads),
        Interlocked.Read(ref counters.UploadsDone), Interlocked.Read(ref counters.UploadsFailed), Interlocked.Read(ref counters.Checks),
        Interlocked.Read(ref counters.ChecksFailed), Interlocked.Read(ref counters.VersionsBuilt));
}
