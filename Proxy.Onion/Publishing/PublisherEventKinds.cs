namespace TorBalancer.Onion.Publishing;

/// <summary>
/// Which lines of the publisher's log are events for whoever follows them, by the lines' ids. They name services, instances, directories
/// and the publisher's own tor, and nobody's traffic: there is none here. Words are contract.
/// </summary>
internal static class PublisherEventKinds
{
    private static readonly Dictionary<int, string> Words = new()
    {
        [PublishingEventIds.Connected] = "control_port",
        [PublishingEventIds.TorGone] = "control_port",
        [PublishingEventIds.ConsensusRead] = "consensus",
        [PublishingEventIds.ConsensusUnusable] = "consensus",
        [PublishingEventIds.ClockSkew] = "clock",
        [PublishingEventIds.PublishedBefore] = "published_before",
        [PublishingEventIds.ServiceProblem] = "service_problem",
        [PublishingEventIds.AllDown] = "service_problem",
        [PublishingEventIds.DescriptorBuilt] = "descriptor_built",
        [PublishingEventIds.DescriptorPublished] = "descriptor_published",
        [PublishingEventIds.UploadFailed] = "upload_failed",
        [PublishingEventIds.UploadRefused] = "upload_refused",
        [PublishingEventIds.DescriptorReceived] = "descriptor_received",
        [PublishingEventIds.DescriptorRefused] = "descriptor_refused",
        [PublishingEventIds.InstanceHealth] = "instance_state",
        [PublishingEventIds.InstanceDrained] = "instance_drain",
        [PublishingEventIds.InstanceStillDrained] = "instance_drain",
        [PublishingEventIds.DrainsNotKept] = "drains_not_kept",
        [PublishingEventIds.DrainsNotRead] = "drains_not_kept",
    };

    /// <summary>The logs that such lines are written to.</summary>
    public static IReadOnlyList<string> Categories { get; } =
        [typeof(PublisherState).FullName!, typeof(PublishingLoop).FullName!, typeof(DrainMemory).FullName!];

    /// <summary>All words, in alphabetical order.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Words.Values.Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The word of a line; null: it is none.</summary>
    public static string? Of(int eventId) => Words.GetValueOrDefault(eventId);
}
