namespace TorBalancer.Onion.Publishing;

/// <summary>Ids of log messages, 7000 to 7099. Never reused.</summary>
internal static class PublishingEventIds
{
    public const int Connected = 7000;
    public const int TorGone = 7001;
    public const int OldTor = 7002;
    public const int ConsensusRead = 7003;
    public const int ConsensusUnusable = 7004;
    public const int ClockSkew = 7005;
    public const int PublishedBefore = 7011;
    public const int ServiceProblem = 7014;
    public const int AllDown = 7015;
    public const int DescriptorBuilt = 7020;
    public const int DescriptorPublished = 7021;
    public const int UploadDone = 7022;
    public const int UploadFailed = 7023;
    public const int UploadRefused = 7024;
    public const int DescriptorReceived = 7031;
    public const int DescriptorRefused = 7032;
    public const int FetchFailed = 7033;
    public const int InstanceHealth = 7040;
    public const int InstanceDrained = 7041;
    public const int CheckDone = 7042;
}
