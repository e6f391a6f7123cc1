namespace TorBalancer.Onion.Publishing;

/// <summary>How often things are done, and how long they are waited for.</summary>
internal sealed record PublishTiming
{
    /// <summary>On the public network.</summary>
    public static readonly PublishTiming Public = new();

    /// <summary>On a testing network, whose periods are minutes long.</summary>
    public static readonly PublishTiming Testing = new()
    {
        FetchInterval = TimeSpan.FromSeconds(20),
        SuspectFetchInterval = TimeSpan.FromSeconds(6),
        FetchTimeout = TimeSpan.FromSeconds(20),
        FetchSilence = TimeSpan.FromSeconds(2),
        CheckInterval = TimeSpan.FromSeconds(10),
        SuspectCheckInterval = TimeSpan.FromSeconds(2),
        CheckTimeout = TimeSpan.FromSeconds(15),
        GatherTime = TimeSpan.FromSeconds(30),
        UploadTimeout = TimeSpan.FromSeconds(30),
        FirstRetry = TimeSpan.FromSeconds(2),
        LastRetry = TimeSpan.FromSeconds(20),
        ConsensusPoll = TimeSpan.FromSeconds(5),
        CalmRebuild = TimeSpan.FromSeconds(2),
    };

    /// <summary>
    /// Between two fetches of one instance's descriptor. A tor without client ports asks each of the six directories once in 15 minutes.
    /// </summary>
    public TimeSpan FetchInterval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The same for an instance that is missing, or that a check found dead.</summary>
    public TimeSpan SuspectFetchInterval { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Between the first fetches of two instances, when the publisher begins.</summary>
    public TimeSpan Stagger { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>After which nothing more is expected of a fetch.</summary>
    public TimeSpan FetchTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>After which tor has given a fetch up, when a directory did not have the descriptor and no other is heard of.</summary>
    public TimeSpan FetchSilence { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Between two checks of one instance.</summary>
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The same after one that failed.</summary>
    public TimeSpan SuspectCheckInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For one check: finding the descriptor, meeting the service, its answer.</summary>
    public TimeSpan CheckTimeout { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>Checks in a row that must fail for an instance to be taken out.</summary>
    public int ChecksToFail { get; init; } = 2;

    /// <summary>Directories in a row that must not know an instance for it to be taken out.</summary>
    public int MissesToFail { get; init; } = 3;

    /// <summary>How long after its last receipt an instance's descriptor counts: Onionbalance's INSTANCE_DESCRIPTOR_TOO_OLD.</summary>
    public TimeSpan MaxReceiptAge { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long an instance's descriptor may stay the same: a tor makes a new one after 60 to 120 minutes
    /// (HS_SERVICE_NEXT_UPLOAD_TIME_MAX), while directories keep that of a dead one for three hours.
    /// </summary>
    public TimeSpan MaxRevisionAge { get; init; } = TimeSpan.FromMinutes(150);

    /// <summary>
    /// How long the first descriptor waits for instances that are not judged yet; four times as long while an older one is out.
    /// </summary>
    public TimeSpan GatherTime { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Descriptors are made anew after this, as Onionbalance's: a third of the time that directories keep them.</summary>
    public TimeSpan RepublishAge { get; init; } = TimeSpan.FromHours(1);

    /// <summary>At least between two versions of one descriptor, when an instance goes: revision counters rise once a second.</summary>
    public TimeSpan MinRebuild { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The same for other changes: with many instances, some introduction point is always new.</summary>
    public TimeSpan CalmRebuild { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After which an upload that tor says nothing of counts as failed.</summary>
    public TimeSpan UploadTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The wait after a failed upload; twice as long after each further one.</summary>
    public TimeSpan FirstRetry { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest of these waits, and that before a new version for a directory which refuses the last one.</summary>
    public TimeSpan LastRetry { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How often tor is asked whether it has another consensus.</summary>
    public TimeSpan ConsensusPoll { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The wait before another try, after so many that failed.</summary>
    public TimeSpan RetryAfter(int failures) =>
        TimeSpan.FromTicks(Math.Min(LastRetry.Ticks, FirstRetry.Ticks << Math.Clamp(failures - 1, 0, 10)));
}
