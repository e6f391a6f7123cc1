using Microsoft.Extensions.Logging;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Onion.Publishing;

/// <summary>What is to be done now.</summary>
internal abstract record PublisherAction
{
    /// <summary>Fetch a descriptor: an instance's, or a service's own.</summary>
    /// <param name="Address">Without .onion.</param>
    public sealed record Fetch(string Address) : PublisherAction;

    public sealed record Upload(BalancedService Service, DescriptorVersion Version, DirectoryUpload To) : PublisherAction;

    public sealed record Check(InstanceWatch Instance) : PublisherAction;
}

/// <summary>
/// All that the publisher knows and decides, of all services. Events and time come in, actions come out; nothing here waits for anything.
/// For one caller at a time.
/// </summary>
internal sealed partial class PublisherState
{
    // Uploads at one time: each is a circuit of its own.
    private const int MostUploads = 24;

    // Of the directories, how many may be without a place before the ring is not trusted.
    private const double MostUnplaced = 0.05;

    private readonly ILogger _logger;
    private readonly PublishCounters _counters;
    private readonly Dictionary<InstanceWatch, InstanceHealth> _told = [];

    public PublisherState(IReadOnlyList<BalancedService> services, PublishCounters counters, ILogger logger)
    {
        Services = services;
        _counters = counters;
        _logger = logger;
    }

    public IReadOnlyList<BalancedService> Services { get; }

    public PublishTiming Timing { get; private set; } = PublishTiming.Public;

    public NetworkConsensus? Consensus { get; private set; }

    /// <summary>Why nothing can be published at the moment; null: nothing is wrong.</summary>
    public string? Problem { get; private set; } = "there is no connection to tor yet";

    private bool HasRoom => Services.Sum(static one => one.UploadsUnderWay) < MostUploads;

    private PeriodSchedule? Schedule { get; set; }

    private TimePeriod[] Periods =>
        Schedule is { } schedule ? [schedule.Current.Previous, schedule.Current, schedule.Current.Next] : [];

    /// <summary>A tor was connected to.</summary>
    public void Connected(bool isTestingNetwork)
    {
        Timing = isTestingNetwork ? PublishTiming.Testing : PublishTiming.Public;
        IsTestingNetwork = isTestingNetwork;
        Problem = "tor has no consensus yet";
    }

    public bool IsTestingNetwork { get; private set; }

    /// <summary>The connection to tor has ended.</summary>
    public void Disconnected(string reason, DateTimeOffset now)
    {
        Problem = reason;
        Consensus = null;
        foreach (var service in Services)
            service.Forget(now, Timing);
    }

    /// <summary>tor's consensus, or why there is none that can be used.</summary>
    public void ConsensusRead(NetworkConsensus? consensus, string? problem, DateTimeOffset now)
    {
        if (consensus is not null && !consensus.IsReasonablyLive(now))
        {
            problem = now < consensus.ValidAfter
                ? $"this machine's clock says {now:u}, before the consensus of {consensus.ValidAfter:u}: set the clock"
                : $"the consensus is valid until {consensus.ValidUntil:u}, and it is {now:u}: tor gets no new one, or the clock is wrong";
        }
        else if (consensus is not null
            && consensus.DirectoriesWithoutIdentity > (consensus.DirectoriesWithoutIdentity + consensus.Directories.Count) * MostUnplaced)
        {
            problem = $"of {consensus.DirectoriesWithoutIdentity} directories tor has no microdescriptor yet";
        }

        if (problem is not null)
        {
            if (problem != Problem)
                Log.ConsensusUnusable(_logger, problem);
            (Problem, Consensus, Schedule) = (problem, null, null);
            return;
        }

        if (Consensus?.ValidAfter != consensus!.ValidAfter || Problem is not null)
        {
            Log.ConsensusRead(_logger, consensus.ValidAfter.UtcDateTime, consensus.Directories.Count);
        }

        (Problem, Consensus, Schedule) = (null, consensus, new PeriodSchedule(consensus, IsTestingNetwork));
    }

    /// <summary>HS_DESC_CONTENT.</summary>
    public void Handle(HsDescContentEvent content, DateTimeOffset now)
    {
        bool isEmpty = content.Content.AsSpan().Trim().IsEmpty;
        foreach (var service in Services)
        {
            if (service.Identity.Address.Label == content.Address)
                TakeOwn(service, content.Content, now);
            foreach (var instance in service.Instances)
            {
                if (!isEmpty && instance.State.Address.Label == content.Address)
                    Take(instance, content.Content, now);
            }
        }
    }

    /// <summary>HS_DESC: what became of a fetch or an upload.</summary>
    public void Handle(HsDescEvent heard, DateTimeOffset now)
    {
        foreach (var service in Services)
        {
            if (service.Identity.Address.Label == heard.Address)
                HandleOwn(service, heard, now);
            if (heard.Action != "FAILED")
                continue;
            foreach (var instance in service.Instances.Where(one => one.State.Address.Label == heard.Address))
            {
                Interlocked.Increment(ref _counters.FetchesFailed);
                instance.Missed(heard.Reason ?? "no reason given", now, Timing);
                Log.FetchFailed(_logger, instance.FullName, heard.Reason ?? "no reason given");
            }
        }
    }

    /// <summary>A check of an instance is over.</summary>
    public void Checked(InstanceWatch instance, bool? passed, string detail, DateTimeOffset now)
    {
        if (passed == false)
            Interlocked.Increment(ref _counters.ChecksFailed);
        string result = passed switch
        {
            true => "passed",
            false => "failed",
            null => "could not be made",
        };
        Log.CheckDone(_logger, instance.FullName, result, detail);
        instance.Checked(passed, detail, now, Timing);
    }

    /// <summary>tor did not take an upload.</summary>
    public void UploadFailed(BalancedService service, DirectoryUpload upload, string problem, DateTimeOffset now) =>
        UploadEnds(service, upload.Fingerprint, problem, isRefusal: false, now);

    /// <summary>tor did not take a fetch.</summary>
    public void FetchFailed(string address, string problem, DateTimeOffset now)
    {
        foreach (var instance in Services.SelectMany(static one => one.Instances).Where(one => one.State.Address.Label == address))
            instance.Missed(problem, now, Timing);
    }

    /// <summary>Takes an instance out, or puts it back.</summary>
    /// <returns>Why it was not done; null: it was.</returns>
    public string? Drain(InstanceWatch instance, bool isDrained, DateTimeOffset now)
    {
        if (isDrained && WhyNotDrained(instance) is { } refusal)
            return refusal;
        if (instance.IsDrained != isDrained)
        {
            instance.DrainedSince = isDrained ? now : null;
            Log.Drained(_logger, instance.FullName, isDrained ? "drained" : "enabled");
        }

        return null;
    }

    /// <summary>Takes out an instance that was drained before this publisher began.</summary>
    /// <returns>Why it was not done; null: it was.</returns>
    public string? StayDrained(InstanceWatch instance, DateTimeOffset since)
    {
        if (WhyNotDrained(instance) is { } refusal)
            return refusal;
        instance.DrainedSince = since;
        Log.StillDrained(_logger, instance.FullName, since.UtcDateTime);
        return null;
    }

    /// <summary>Decides what is due. Each action counts as begun.</summary>
    public IReadOnlyList<PublisherAction> Step(DateTimeOffset now)
    {
        if (Problem is not null || Consensus is not { } consensus || Schedule is not { } schedule)
            return [];
        var actions = new List<PublisherAction>();
        foreach (var service in Services)
        {
            foreach (string fingerprint in service.Overdue(now, Timing))
                UploadEnds(service, fingerprint, "tor did not say what became of it", isRefusal: false, now);
            AddFetches(service, actions, now);
            Rebuild(service, consensus, schedule, now);
            while (HasRoom && service.NextUpload(now, Timing) is { } next)
            {
                service.UploadBegins(next.Version, next.Upload, now);
                Interlocked.Increment(ref _counters.Uploads);
                actions.Add(new PublisherAction.Upload(service, next.Version, next.Upload));
            }
        }

        return actions;
    }

    /// <summary>When something may be due next.</summary>
    public DateTimeOffset NextAt(DateTimeOffset now)
    {
        var next = now + Timing.ConsensusPoll;
        if (Problem is not null)
            return next;
        foreach (var service in Services)
        {
            var at = service.NextAt(now, Timing, hasRoom: HasRoom);
            if (at < next)
                next = at;
        }

        return next;
    }

    // Fetches and uploads of one address fail with the same event, and both with UNEXPECTED: what was asked for before tells them apart.
    //   REQUESTED address NO_AUTH $directory blinded-key
    //   FAILED address NO_AUTH $directory blinded-key REASON=UPLOAD_REJECTED     (tor 0.4.9.11; others might say UNKNOWN for NO_AUTH)
    private void HandleOwn(BalancedService service, HsDescEvent heard, DateTimeOffset now)
    {
        if (heard is { Action: "REQUESTED", HsDir: { } asked })
            service.Own.Asks(asked.Fingerprint);
        else if (heard.Action == "FAILED" && IsOfFetch(service, heard))
            service.Own.Missed(now, Timing);
        else if (heard.Action is "UPLOADED" or "FAILED" && heard.HsDir is { } directory)
        {
            string? problem = heard.Action == "UPLOADED" ? null : heard.Reason ?? "no reason given";
            UploadEnds(service, directory.Fingerprint, problem, heard.Reason == "UPLOAD_REJECTED", now);
        }
    }

    private static bool IsOfFetch(BalancedService service, HsDescEvent failed) => failed switch
    {
        { AuthType: "UNKNOWN" } or { Reason: "UPLOAD_REJECTED" } => false,
        { Reason: "UNEXPECTED", HsDir: { } directory } => service.Own.IsAsking(directory.Fingerprint),
        _ => true,
    };

    private string? WhyNotDrained(InstanceWatch instance)
    {
        var service = Services.First(one => one.Instances.Contains(instance));
        return service.Instances.All(one => one == instance || one.IsDrained)
            ? $"{instance.FullName} is the last instance of {service.Options.Name} that is not drained"
            : null;
    }

    private void AddFetches(BalancedService service, List<PublisherAction> actions, DateTimeOffset now)
    {
        service.Own.Pass(now, Timing);
        if (service.Own.IsWanted && !service.Own.IsUnderWay)
        {
            service.Own.Begins(now, Timing);
            actions.Add(new PublisherAction.Fetch(service.Identity.Address.Label));
        }

        foreach (var instance in service.Instances)
        {
            TellHealth(instance, now);
            if (instance.IsFetchDue(now, Timing))
            {
                instance.FetchBegins(now, Timing);
                Interlocked.Increment(ref _counters.Fetches);
                actions.Add(new PublisherAction.Fetch(instance.State.Address.Label));
            }

            if (instance.IsCheckDue(now, Timing))
            {
                instance.CheckBegins();
                Interlocked.Increment(ref _counters.Checks);
                actions.Add(new PublisherAction.Check(instance));
            }
        }
    }

    private void Rebuild(BalancedService service, NetworkConsensus consensus, PeriodSchedule schedule, DateTimeOffset now)
    {
        string? before = service.Problem;
        bool wereAllDown = service.AreAllDown;
        foreach (var (version, reason) in service.Rebuild(consensus, schedule, now, Timing))
        {
            Interlocked.Increment(ref _counters.VersionsBuilt);
            Log.Built(
                _logger, service.Options.Name, version.Term.Order.ToString().ToLowerInvariant(), reason, version.Instances.Count,
                version.IsDistinct ? "different ones" : "the same", version.Uploads.Count);
        }

        if (service.Problem is { } problem && problem != before)
            Log.ServiceProblem(_logger, service.Options.Name, problem);
        if (service.AreAllDown && !wereAllDown)
            Log.AllDown(_logger, service.Options.Name);
    }

    private void TellHealth(InstanceWatch instance, DateTimeOffset now)
    {
        var (health, reason) = instance.HealthAt(now, Timing);
        if (_told.GetValueOrDefault(instance) == health)
            return;
        _told[instance] = health;
        var level = health == InstanceHealth.Down ? LogLevel.Warning : LogLevel.Information;
        string word = health.ToString().ToLowerInvariant(), why = reason is null ? "" : $": {reason}";
        Log.Health(_logger, level, instance.FullName, word, why);
    }

    private void TakeOwn(BalancedService service, string text, DateTimeOffset now)
    {
        bool wasKnown = service.PointsBefore is not null;
        service.OwnDescriptor(text, Periods, now);
        if (!wasKnown && service.PointsBefore is { } points)
            Log.Before(_logger, service.Options.Name, points);
    }

    private void Take(InstanceWatch instance, string text, DateTimeOffset now)
    {
        var receipt = instance.Received(text, Periods, now, Timing);
        if (receipt == Receipt.Refused)
        {
            Interlocked.Increment(ref _counters.DescriptorsRefused);
            Log.Refused(_logger, instance.FullName, instance.State.Problem!.Value.Detail);
        }
        else
        {
            Interlocked.Increment(ref _counters.FetchesReceived);
            var level = receipt == Receipt.Changed ? LogLevel.Information : LogLevel.Debug;
            string word = receipt.ToString().ToLowerInvariant();
            Log.Received(_logger, level, instance.FullName, instance.State.Content!.IntroductionPoints.Count, word);
        }
    }

    private void UploadEnds(BalancedService service, string fingerprint, string? problem, bool isRefusal, DateTimeOffset now)
    {
        if (service.UploadEnds(fingerprint, problem, isRefusal, now, Timing) is not { } ended)
            return;
        var (version, upload) = ended;
        string order = version.Term.Order.ToString().ToLowerInvariant();
        if (problem is null)
        {
            Interlocked.Increment(ref _counters.UploadsDone);
            Log.UploadDone(_logger, service.Options.Name, order, fingerprint);
            if (service.Version(version.Term.Order) == version && version.Uploads.All(static one => one.State == UploadState.Uploaded))
                Log.Published(_logger, service.Options.Name, order, version.Uploads.Count);
        }
        else
        {
            Interlocked.Increment(ref _counters.UploadsFailed);
            if (upload.State == UploadState.Refused)
            {
                Log.UploadRefused(_logger, service.Options.Name, order, fingerprint, problem);

                // Whose is newer? Only that of the current period can be fetched.
                if (version.Term.Period == Schedule?.Current)
                    service.Own.Want();
            }
            else
                Log.UploadFailed(_logger, service.Options.Name, order, fingerprint, problem);
        }
    }
}
