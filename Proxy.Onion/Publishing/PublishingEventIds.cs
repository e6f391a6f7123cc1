namespace TorBalancer.Onion.Publishing;

/// <summary>Ids of log messages, 8000 to 8099. Never reused.</summary>
internal static class PublishingEventIds
{
    public const int Connected = 8000;
    public const int TorGone = 8001;
    public const int OldTor = 8002;
    public const int ConsensusRead = 8003;
    public const int ConsensusUnusable = 8004;
    public const int ClockSkew = 8005;
    public const int PublishedBefore = 8011;
    public const int ServiceProblem = 8014;
    public const int AllDown = 8015;
    public const int DescriptorBuilt = 8020;
    public const int DescriptorPublished = 8021;
    public const int UploadDone = 8022;
    public const int UploadFailed = 8023;
    public const int UploadRefused = 8024;
    public const int DescriptorReceived = 8031;
    public const int DescriptorRefused = 8032;
    public const int FetchFailed = 8033;
    public const int InstanceHealth = 8040;
    public const int InstanceDrained = 8041;
    public const int CheckDone = 8042;
    public const int InstanceStillDrained = 8043;
    public const int DrainsNotKept = 8044;
    public const int DrainsNotRead = 8045;
    public const int DrainNotRestored = 8046;
}
