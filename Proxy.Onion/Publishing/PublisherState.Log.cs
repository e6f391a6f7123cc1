using Microsoft.Extensions.Logging;

namespace TorBalancer.Onion.Publishing;

internal sealed partial class PublisherState
{
    private static partial class Log
    {
        [LoggerMessage(
            PublishingEventIds.ConsensusRead, LogLevel.Information,
            "Consensus of {ValidAfter:u}: {Directories} directories keep descriptors")]
        public static partial void ConsensusRead(ILogger logger, DateTime validAfter, int directories);

        [LoggerMessage(PublishingEventIds.ConsensusUnusable, LogLevel.Warning, "Nothing is published: {Problem}")]
        public static partial void ConsensusUnusable(ILogger logger, string problem);

        [LoggerMessage(
            PublishingEventIds.PublishedBefore, LogLevel.Information,
            "Service {Service}: a descriptor with {Points} introduction points is published already")]
        public static partial void Before(ILogger logger, string service, int points);

        [LoggerMessage(PublishingEventIds.ServiceProblem, LogLevel.Warning, "Service {Service}: {Problem}")]
        public static partial void ServiceProblem(ILogger logger, string service, string problem);

        [LoggerMessage(
            PublishingEventIds.AllDown, LogLevel.Error,
            "Service {Service}: all its instances seem down. That may be the publisher's own way to them: none is taken out")]
        public static partial void AllDown(ILogger logger, string service);

        [LoggerMessage(
            PublishingEventIds.DescriptorBuilt, LogLevel.Information,
            "Service {Service}: new {Order} descriptor ({Reason}): {Instances} instances, {Kind} for {Directories} directories")]
        public static partial void Built(
            ILogger logger, string service, string order, string reason, int instances, string kind, int directories);

        [LoggerMessage(
            PublishingEventIds.DescriptorPublished, LogLevel.Information,
            "Service {Service}: the {Order} descriptor is at all its {Directories} directories")]
        public static partial void Published(ILogger logger, string service, string order, int directories);

        [LoggerMessage(
            PublishingEventIds.UploadDone, LogLevel.Debug, "Service {Service}: directory {Directory} has the {Order} descriptor")]
        public static partial void UploadDone(ILogger logger, string service, string order, string directory);

        [LoggerMessage(
            PublishingEventIds.UploadFailed, LogLevel.Warning,
            "Service {Service}: the {Order} descriptor did not get to directory {Directory}: {Problem}. It is tried again")]
        public static partial void UploadFailed(ILogger logger, string service, string order, string directory, string problem);

        [LoggerMessage(
            PublishingEventIds.UploadRefused, LogLevel.Warning,
            "Service {Service}: directory {Directory} keeps refusing the {Order} descriptor ({Problem}): it has a newer one, "
                + "of another publisher or of a tor that serves this address itself. A later version is sent again")]
        public static partial void UploadRefused(ILogger logger, string service, string order, string directory, string problem);

        [LoggerMessage(
            EventId = PublishingEventIds.DescriptorReceived,
            Message = "Instance {Instance}: descriptor with {Points} introduction points ({Receipt})")]
        public static partial void Received(ILogger logger, LogLevel level, string instance, int points, string receipt);

        [LoggerMessage(
            PublishingEventIds.DescriptorRefused, LogLevel.Warning, "Instance {Instance}: its descriptor cannot be used: {Problem}")]
        public static partial void Refused(ILogger logger, string instance, string problem);

        [LoggerMessage(PublishingEventIds.FetchFailed, LogLevel.Debug, "Instance {Instance}: its descriptor was not fetched: {Reason}")]
        public static partial void FetchFailed(ILogger logger, string instance, string reason);

        [LoggerMessage(EventId = PublishingEventIds.InstanceHealth, Message = "Instance {Instance}: {Health}{Reason}")]
        public static partial void Health(ILogger logger, LogLevel level, string instance, string health, string reason);

        [LoggerMessage(PublishingEventIds.InstanceDrained, LogLevel.Information, "Instance {Instance}: {State} by command")]
        public static partial void Drained(ILogger logger, string instance, string state);

        [LoggerMessage(
            PublishingEventIds.InstanceStillDrained, LogLevel.Information,
            "Instance {Instance}: drained since {Since:u}, before this start, until it is enabled")]
        public static partial void StillDrained(ILogger logger, string instance, DateTime since);

        [LoggerMessage(PublishingEventIds.CheckDone, LogLevel.Debug, "Instance {Instance}: check {Result}: {Detail}")]
        public static partial void CheckDone(ILogger logger, string instance, string result, string detail);
    }
}
