using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Publishing;

/// <summary>How far a descriptor has come on its way to one directory.</summary>
internal enum UploadState : byte
{
    /// <summary>It is to be sent, at once or after a pause.</summary>
    Waiting,

    /// <summary>tor was told to, and has not said what became of it.</summary>
    UnderWay,

    /// <summary>The directory has it.</summary>
    Uploaded,

    /// <summary>
    /// The directory refuses it each time: it has one with a greater revision counter, most likely another publisher's. The next version
    /// is sent again.
    /// </summary>
    Refused,
}

/// <summary>One descriptor for one directory. Time comes in as an argument.</summary>
internal sealed class DirectoryUpload(ResponsibleDirectory directory, string text, int points, DateTimeOffset now)
{
    // A directory that refused so often has something newer.
    private const int MostRefusals = 3;

    private DateTimeOffset _since = now;
    private int _refusals;

    public ResponsibleDirectory Directory => directory;

    public string Fingerprint => directory.Relay.Fingerprint;

    public string Text => text;

    /// <summary>Introduction points in it.</summary>
    public int Points => points;

    public UploadState State { get; private set; }

    public int Failures { get; private set; }

    /// <summary>Why the last try failed; null when none did, or it worked since.</summary>
    public string? Problem { get; private set; }

    /// <summary>When this version, or one before it, was last taken.</summary>
    public DateTimeOffset? UploadedAt { get; private set; }

    /// <summary>Takes over what is known of the version before.</summary>
    public void Follow(DirectoryUpload before) => UploadedAt = before.UploadedAt;

    /// <summary>
    /// True when a try of this version ended without an answer: the directory may have it, and then refuses it as no newer than its own.
    /// </summary>
    public bool IsInDoubt { get; private set; }

    public bool IsDue(DateTimeOffset now, PublishTiming timing) =>
        State == UploadState.Waiting && WallClock.IsDue(_since, timing.LastRetry, now);

    public void Begins(DateTimeOffset now) => (State, _since) = (UploadState.UnderWay, now);

    public void Succeeded(DateTimeOffset now) => (State, UploadedAt, Problem) = (UploadState.Uploaded, now, null);

    /// <param name="isRefusal">The directory answered, and said no.</param>
    public void Failed(string problem, bool isRefusal, DateTimeOffset now, PublishTiming timing)
    {
        Problem = problem;
        Failures++;
        _refusals += isRefusal ? 1 : 0;
        IsInDoubt |= !isRefusal;
        if (_refusals >= MostRefusals)
            State = UploadState.Refused;
        else
            (State, _since) = (UploadState.Waiting, now + timing.RetryAfter(Failures));
    }

    public bool IsOverdue(DateTimeOffset now, PublishTiming timing) =>
        State == UploadState.UnderWay && WallClock.IsOver(_since, timing.UploadTimeout, now);

    /// <summary>When it is to be looked at again; null: there is nothing to wait for.</summary>
    public DateTimeOffset? NextAt(PublishTiming timing) => State switch
    {
        UploadState.Waiting => _since,
        UploadState.UnderWay => _since + timing.UploadTimeout,
        _ => null,
    };
}
