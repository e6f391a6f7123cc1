using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Publishing;

/// <summary>What is held of an instance.</summary>
internal enum InstanceHealth : byte
{
    /// <summary>None of its descriptors was ever received.</summary>
    Unknown,

    /// <summary>Nothing speaks against it.</summary>
    Live,

    /// <summary>A check failed, or a directory did not know it: it is asked more often, and still published.</summary>
    Suspect,

    /// <summary>It is not published, unless all instances are like that.</summary>
    Down,
}

/// <summary>
/// When an instance is to be fetched and checked, and what came of it. Time comes in as an argument, and nothing is done here.
/// </summary>
internal sealed class InstanceWatch
{
    private readonly string _service;
    private DateTimeOffset? _fetchingSince;
    private DateTimeOffset _nextFetch, _nextCheck, _missedAt;
    private DateTimeOffset? _passedAt;

    /// <param name="service">The service's name.</param>
    /// <param name="firstFetch">When it is fetched for the first time.</param>
    public InstanceWatch(string service, InstanceState state, InstanceCheck check, DateTimeOffset firstFetch)
    {
        _service = service;
        State = state;
        Check = check;
        _nextFetch = _nextCheck = firstFetch;
    }

    public InstanceState State { get; }

    public InstanceCheck Check { get; }

    public int Weight => State.Weight;

    /// <summary>SERVICE/NAME, as it is configured.</summary>
    public string FullName => $"{_service}/{State.Name}";

    /// <summary>When the operator took it out, however it fares; null: it is not.</summary>
    public DateTimeOffset? DrainedSince { get; set; }

    public bool IsDrained => DrainedSince is not null;

    /// <summary>
    /// True when it is known whether it is to be published: it was fetched and, with checks, found alive or dead; or nobody knew it. A
    /// directory that does not know it is not the last word: tor asks the next one by itself.
    /// </summary>
    public bool IsJudged(DateTimeOffset now, PublishTiming timing) => State.ReceivedAt is null
        ? Misses > 0 && WallClock.IsOver(_missedAt, timing.FetchSilence, now)
        : Check.Kind == InstanceCheckKind.None || (CheckedAt is not null && (FailedChecks == 0 || FailedChecks >= timing.ChecksToFail));

    /// <summary>Directories in a row that did not know it.</summary>
    public int Misses { get; private set; }

    /// <summary>Why the last fetch came to nothing; null when it did not.</summary>
    public string? FetchProblem { get; private set; }

    /// <summary>Checks in a row that failed.</summary>
    public int FailedChecks { get; private set; }

    public DateTimeOffset? CheckedAt { get; private set; }

    /// <summary>What the last check found; null: there was none.</summary>
    public string? CheckDetail { get; private set; }

    public bool IsChecking { get; private set; }

    public bool IsFetchDue(DateTimeOffset now, PublishTiming timing)
    {
        if (_fetchingSince is { } since && WallClock.IsOver(since, timing.FetchTimeout, now))
        {
            // tor said nothing: that is tor's, and no word on the instance.
            _fetchingSince = null;
            FetchProblem = "tor did not say what became of the last fetch";
        }

        return _fetchingSince is null && WallClock.IsDue(_nextFetch, timing.FetchInterval, now);
    }

    public void FetchBegins(DateTimeOffset now, PublishTiming timing)
    {
        _fetchingSince = now;
        _nextFetch = now + IntervalAt(now, timing);
    }

    /// <summary>A directory gave its descriptor.</summary>
    /// <param name="periods">In which it may be published.</param>
    public Receipt Received(string text, ReadOnlySpan<TimePeriod> periods, DateTimeOffset now, PublishTiming timing)
    {
        _fetchingSince = null;
        var receipt = State.Receive(text, periods, now);
        FetchProblem = State.Problem?.Detail;
        if (receipt != Receipt.Refused)
            Misses = 0;

        // New introduction points are a reason to ask at once whether they work.
        if (receipt == Receipt.Changed && FailedChecks > 0)
            _nextCheck = now;
        SoonerFetch(now, timing);
        return receipt;
    }

    /// <summary>A fetch came to nothing.</summary>
    /// <param name="reason">tor's word: NOT_FOUND speaks against the instance, others are tor's own.</param>
    public void Missed(string reason, DateTimeOffset now, PublishTiming timing)
    {
        _fetchingSince = null;
        FetchProblem = reason;
        if (reason == "NOT_FOUND")
            (Misses, _missedAt) = (Misses + 1, now);
        SoonerFetch(now, timing);
    }

    /// <summary>Forgets what is under way: the tor that it was asked of is gone.</summary>
    /// <param name="nextFetch">When it is fetched again.</param>
    public void Forget(DateTimeOffset nextFetch)
    {
        _fetchingSince = null;
        IsChecking = false;
        _nextFetch = nextFetch;
    }

    public bool IsCheckDue(DateTimeOffset now, PublishTiming timing) =>
        Check.Kind != InstanceCheckKind.None && !IsChecking && State.ReceivedAt is not null
        && WallClock.IsDue(_nextCheck, timing.CheckInterval, now);

    public void CheckBegins() => IsChecking = true;

    /// <summary>A check is over.</summary>
    /// <param name="passed">Null: it could not be made, which says nothing of the instance.</param>
    public void Checked(bool? passed, string detail, DateTimeOffset now, PublishTiming timing)
    {
        IsChecking = false;
        CheckedAt = now;
        CheckDetail = detail;
        FailedChecks = passed switch
        {
            true => 0,
            false => FailedChecks + 1,
            null => FailedChecks,
        };
        if (passed == true)
            _passedAt = now;
        bool isInDoubt = FailedChecks > 0 && FailedChecks < timing.ChecksToFail;
        _nextCheck = now + (isInDoubt ? timing.SuspectCheckInterval : timing.CheckInterval);
        if (passed == false)
            SoonerFetch(now, timing);
    }

    /// <summary>What is held of it, and why when it is not well.</summary>
    public (InstanceHealth Health, string? Reason) HealthAt(DateTimeOffset now, PublishTiming timing)
    {
        if (State.ReceivedAt is not { } received)
            return (InstanceHealth.Unknown, FetchProblem ?? "its descriptor has not come yet");
        if (FailedChecks >= timing.ChecksToFail)
            return (InstanceHealth.Down, $"{FailedChecks.ToString(CultureInfo.InvariantCulture)} checks in a row failed: {CheckDetail}");
        if (Misses >= timing.MissesToFail && !HasAnswered(now, timing))
            return (InstanceHealth.Down, $"{Misses.ToString(CultureInfo.InvariantCulture)} directories in a row did not know it");
        if (now - received > timing.MaxReceiptAge)
            return (InstanceHealth.Down, $"its descriptor could not be fetched since {received:u}");
        if (State.RevisedAt is { } revised && now - revised > timing.MaxRevisionAge)
            return (InstanceHealth.Down, $"it has made no new descriptor since {revised:u}, which a tor that lives does within two hours");
        if (FailedChecks > 0)
            return (InstanceHealth.Suspect, $"a check failed: {CheckDetail}");
        if (Misses > 0)
            return (InstanceHealth.Suspect, "a directory did not know it");
        return (InstanceHealth.Live, null);
    }

    /// <summary>When something is due next; for one under way, when it is given up; for one that was missed, when it is judged.</summary>
    public DateTimeOffset NextAt(DateTimeOffset now, PublishTiming timing)
    {
        var fetch = _fetchingSince is { } since ? since + timing.FetchTimeout : _nextFetch;
        var judged = _missedAt + timing.FetchSilence;
        if (State.ReceivedAt is null && judged > now && judged < fetch)
            fetch = judged;
        bool isChecked = Check.Kind != InstanceCheckKind.None && !IsChecking && State.ReceivedAt is not null;
        return isChecked && _nextCheck < fetch ? _nextCheck : fetch;
    }

    // That it was met says more than that directories do not know it: an upload of its own tor may have failed.
    private bool HasAnswered(DateTimeOffset now, PublishTiming timing) =>
        FailedChecks == 0 && _passedAt is { } passed && (now - passed).Duration() <= timing.CheckInterval * 3;

    private TimeSpan IntervalAt(DateTimeOffset now, PublishTiming timing) =>
        HealthAt(now, timing).Health == InstanceHealth.Live ? timing.FetchInterval : timing.SuspectFetchInterval;

    // Who became suspect meanwhile is not left alone for the rest of a long interval.
    private void SoonerFetch(DateTimeOffset now, PublishTiming timing)
    {
        var due = now + IntervalAt(now, timing);
        if (due < _nextFetch)
            _nextFetch = due;
    }
}
