namespace TorBalancer.Onion.Publishing;

/// <summary>What was done since the start, in numbers that only rise. Written by one, read by anybody.</summary>
internal sealed class PublishCounters
{
    public long Fetches;
    public long FetchesReceived;
    public long FetchesFailed;
    public long DescriptorsRefused;
    public long Uploads;
    public long UploadsDone;
    public long UploadsFailed;
    public long Checks;
    public long ChecksFailed;
    public long VersionsBuilt;
}
