using TorBalancer.Configuration.Options;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;

namespace TorBalancer.Onion.Publishing;

/// <summary>
/// One onion address: its instances, what is published of it, and what is to be. All decisions, and nothing done: time and what tor says
/// come in, and whoever calls sends what is due. Not safe for several threads at once.
/// </summary>
internal sealed class BalancedService
{
    private readonly Dictionary<string, (DescriptorVersion Version, DirectoryUpload Upload)> _underWay = new(StringComparer.Ordinal);
    private readonly DescriptorVersion?[] _versions = new DescriptorVersion?[2];
    private readonly Dictionary<TimePeriod, ulong> _revisions = [];
    private readonly KnownDirectories?[] _directories = new KnownDirectories?[2];
    private readonly OwnDescriptorFetch _own = new();
    private DateTimeOffset? _began;

    /// <param name="identity">The caller's to dispose.</param>
    /// <param name="instances">At least one.</param>
    public BalancedService(OnionServiceOptions options, IdentityKey identity, IReadOnlyList<InstanceWatch> instances)
    {
        Options = options;
        Identity = identity;
        Instances = instances;
    }

    public OnionServiceOptions Options { get; }

    public IdentityKey Identity { get; }

    public IReadOnlyList<InstanceWatch> Instances { get; }

    /// <summary>How many uploads tor has not answered yet.</summary>
    public int UploadsUnderWay => _underWay.Count;

    /// <summary>
    /// Introduction points that were published when this publisher began; null: there was nothing, or nothing is known yet.
    /// </summary>
    public int? PointsBefore { get; private set; }

    /// <summary>The fetch of the address's own descriptor: before anything is published, and when directories refuse.</summary>
    public OwnDescriptorFetch Own => _own;

    /// <summary>Why nothing new is published at the moment; null: nothing is wrong.</summary>
    public string? Problem { get; private set; }

    /// <summary>True when all instances seem down, so that none is taken out for it.</summary>
    public bool AreAllDown { get; private set; }

    public DescriptorVersion? Version(DescriptorOrder order) => _versions[(int)order];

    /// <summary>
    /// A directory gave a descriptor of the address itself: ours of before, another publisher's, or that of a tor which served it.
    /// </summary>
    /// <param name="periods">In which it may be published.</param>
    public void OwnDescriptor(string text, ReadOnlySpan<TimePeriod> periods, DateTimeOffset now)
    {
        if (OnionDescriptor.Read(text, now, out _) is not { } descriptor
            || descriptor.PeriodOf(Identity.Address, periods) is not { } period
            || descriptor.Open(Identity.Address, now, out _) is not { } content)
            return;
        _own.Ends();
        PointsBefore ??= content.IntroductionPoints.Count;
        _revisions[period] = Math.Max(_revisions.GetValueOrDefault(period), descriptor.RevisionCounter);
    }

    /// <summary>
    /// Makes new versions of both descriptors where they are needed. Until all instances are judged, or time is up, nothing is made: what
    /// is published already is better than half of it.
    /// </summary>
    /// <returns>What was made, and why.</returns>
    public IReadOnlyList<(DescriptorVersion Version, string Reason)> Rebuild(
        NetworkConsensus consensus, PeriodSchedule schedule, DateTimeOffset now, PublishTiming timing)
    {
        // Counted from when tor can be asked; a clock that was set back since is no reason to wait longer than once more.
        if (_began is null || now < _began)
            _began = now;
        if (!HasGathered(now, timing))
        {
            Problem = null;
            return [];
        }

        var live = LiveAt(now, timing);
        if (live.Count == 0)
        {
            Problem = "no instance has an introduction point: what is published, if anything, is left as it is";
            return [];
        }

        Problem = null;
        var plan = ServicePlan.Of(live, Options.Descriptors);
        var made = new List<(DescriptorVersion, string)>();
        foreach (var order in (ReadOnlySpan<DescriptorOrder>)[DescriptorOrder.First, DescriptorOrder.Second])
        {
            var term = schedule.Term(order);
            var directories = DirectoriesOf(consensus, term);
            if (WhyNew(_versions[(int)order], plan, term, directories, now, timing) is { } reason
                && Build(plan, term, directories, consensus, now) is { } version)
                made.Add((version, reason));
        }

        return made;
    }

    /// <summary>
    /// The next descriptor to send, or null. To one directory goes one at a time: tor names the directory when it says what became of an
    /// upload, and not which descriptor it was. Once there is a version, a fetch of what is published holds nothing back.
    /// </summary>
    public (DescriptorVersion Version, DirectoryUpload Upload)? NextUpload(DateTimeOffset now, PublishTiming timing)
    {
        foreach (var version in _versions)
        {
            if (version?.Uploads.FirstOrDefault(one => one.IsDue(now, timing) && !_underWay.ContainsKey(one.Fingerprint)) is { } upload)
                return (version, upload);
        }

        return null;
    }

    public void UploadBegins(DescriptorVersion version, DirectoryUpload upload, DateTimeOffset now)
    {
        upload.Begins(now);
        version.AttemptedAt = now;
        _underWay[upload.Fingerprint] = (version, upload);
    }

    /// <summary>What became of the upload to a directory.</summary>
    /// <returns>It, and the version that it belongs to; null: none was under way there.</returns>
    public (DescriptorVersion Version, DirectoryUpload Upload)? UploadEnds(
        string fingerprint, string? problem, bool isRefusal, DateTimeOffset now, PublishTiming timing)
    {
        if (!_underWay.Remove(fingerprint, out var one))
            return null;
        if (problem is null)
            one.Upload.Succeeded(now);
        else
            one.Upload.Failed(problem, isRefusal, now, timing);
        return one;
    }

    /// <summary>Uploads of which tor has said nothing for too long.</summary>
    public IReadOnlyList<string> Overdue(DateTimeOffset now, PublishTiming timing) =>
        [.. _underWay.Where(one => one.Value.Upload.IsOverdue(now, timing)).Select(static one => one.Key)];

    /// <summary>The tor that things were asked of is gone: what was under way is asked again.</summary>
    public void Forget(DateTimeOffset now, PublishTiming timing)
    {
        foreach (string fingerprint in _underWay.Keys.ToArray())
            UploadEnds(fingerprint, "tor went away", isRefusal: false, now, timing);
        if (_own.IsUnderWay)
            _own.Want();
        _own.Ends();
        _began = null;

        // The fetches do not all come at once.
        for (int i = 0; i < Instances.Count; i++)
            Instances[i].Forget(now + (timing.Stagger * i));
    }

    /// <summary>When something may be due next.</summary>
    /// <param name="hasRoom">True when an upload that waits could begin; otherwise the end of another one is waited for.</param>
    public DateTimeOffset NextAt(DateTimeOffset now, PublishTiming timing, bool hasRoom)
    {
        var next = now + timing.FetchInterval;
        foreach (var instance in Instances)
            next = Earlier(next, instance.NextAt(now, timing));
        foreach (var version in _versions)
        {
            foreach (var upload in version?.Uploads ?? [])
            {
                bool canGo = upload.State == UploadState.UnderWay || (hasRoom && !_underWay.ContainsKey(upload.Fingerprint));
                if (canGo && upload.NextAt(timing) is { } at)
                    next = Earlier(next, at);
            }
        }

        if (_own.EndsAt is { } ends)
            next = Earlier(next, ends);
        return next;
    }

    /// <summary>True when the first version may be made.</summary>
    private bool HasGathered(DateTimeOffset now, PublishTiming timing)
    {
        if (_versions[0] is not null)
            return true;
        if (!_own.IsOver)
            return false;
        var limit = PointsBefore is null ? timing.GatherTime : timing.GatherTime * 4;
        return Instances.All(one => one.IsDrained || one.IsJudged(now, timing))
            || now >= _began + (timing.Stagger * Instances.Count) + limit;
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private List<(InstancePoints Points, DescriptorContent Content)> LiveAt(DateTimeOffset now, PublishTiming timing)
    {
        var live = new List<(InstancePoints, DescriptorContent)>();
        var down = new List<(InstancePoints, DescriptorContent)>();
        foreach (var instance in Instances.Where(static one => !one.IsDrained))
        {
            bool isDown = instance.HealthAt(now, timing).Health == InstanceHealth.Down;
            if (instance.State.Live(now, isDown ? TimeSpan.MaxValue : timing.MaxReceiptAge) is { } points)
                (isDown ? down : live).Add((points, instance.State.Content!));
        }

        // When all seem dead, it is more likely that we cannot see them: taking all out would help nobody.
        AreAllDown = live.Count == 0 && down.Count > 0;
        return AreAllDown ? down : live;
    }

    // Sorting thousands of directories takes long, and they change once an hour.
    private IReadOnlyList<ResponsibleDirectory> DirectoriesOf(NetworkConsensus consensus, DescriptorTerm term)
    {
        if (_directories[(int)term.Order] is { } known && ReferenceEquals(known.Consensus, consensus) && known.Term == term)
            return known.Responsible;
        var directories = new HashRing(consensus.Directories, term.Period, term.SharedRandom)
            .Responsible(KeyBlinding.BlindedKey(Identity.Address, term.Period)!.Value, consensus.Replicas, consensus.SpreadStore);
        _directories[(int)term.Order] = new KnownDirectories(consensus, term, directories);
        return directories;
    }

    private string? WhyNew(
        DescriptorVersion? current, ServicePlan plan, DescriptorTerm term, IReadOnlyList<ResponsibleDirectory> directories,
        DateTimeOffset now, PublishTiming timing)
    {
        if (current is null)
            return "it is the first";
        var age = now - current.BuiltAt;
        if (age < TimeSpan.Zero)
            return "the clock was set back";
        if (age < timing.MinRebuild)
            return null;
        if (current.Term.Period != term.Period || current.Term.SharedRandom != term.SharedRandom)
            return "a new time period or shared random value";
        if (_revisions.GetValueOrDefault(term.Period) > current.Revision)
            return "directories have a newer one, of another publisher or of a tor that served this address";
        if (!current.IsAt(directories))
            return "other directories are responsible";
        if (current.Uploads.Any(static one => one.State == UploadState.Refused && one.IsInDoubt))
            return "a directory may have the last one without having said so";

        // Revision counters rise with time: a later version passes what the directory has.
        if (age >= timing.LastRetry && current.Uploads.Any(static one => one.State == UploadState.Refused))
            return "a directory refuses the last one";
        if (age >= timing.RepublishAge)
            return "its age";
        if (current.Plan == plan.Key)
            return null;
        bool isUrgent = current.Instances.Except(plan.Instances.Select(static one => one.Name), StringComparer.Ordinal).Any();
        return isUrgent ? "an instance is gone" : age >= timing.CalmRebuild ? "instances or their introduction points changed" : null;
    }

    private DescriptorVersion? Build(
        ServicePlan plan, DescriptorTerm term, IReadOnlyList<ResponsibleDirectory> directories, NetworkConsensus consensus,
        DateTimeOffset now)
    {
        ulong revision = RevisionCounter.At(Identity, term.RunStart, now);
        int at = (int)term.Order;

        // A clock that was set back must not bring one down: directories and clients would keep what they have.
        if (_revisions.TryGetValue(term.Period, out ulong last))
            revision = Math.Max(revision, last + 1);
        var sets = plan.PointsFor(directories, consensus.SpreadFetch, term.Period);
        var texts = new Dictionary<IReadOnlyList<IntroductionPoint>, string>(ReferenceEqualityComparer.Instance);
        var uploads = new List<DirectoryUpload>();
        for (int i = 0; i < directories.Count; i++)
        {
            if (!texts.TryGetValue(sets[i], out string? text))
                texts[sets[i]] = text = TextOf(plan, sets[i], term, revision, now);
            if (text.Length >= consensus.MaxDescriptorSize)
            {
                Problem = $"its descriptor has {text.Length} bytes, and directories take less than {consensus.MaxDescriptorSize}";
                return null;
            }

            var upload = new DirectoryUpload(directories[i], text, sets[i].Count, now);
            if (_versions[at]?.Uploads.FirstOrDefault(one => one.Fingerprint == upload.Fingerprint) is { } before)
                upload.Follow(before);
            uploads.Add(upload);
        }

        _revisions[term.Period] = revision;
        foreach (var old in _revisions.Keys.Where(one => one.Number + 2 < term.Period.Number).ToArray())
            _revisions.Remove(old);
        return _versions[at] = new DescriptorVersion(
            term, plan.Key, revision, plan.IsDistinct, [.. plan.Instances.Select(static one => one.Name)], now, uploads);
    }

    private string TextOf(
        ServicePlan plan, IReadOnlyList<IntroductionPoint> points, DescriptorTerm term, ulong revision, DateTimeOffset now) =>
        DescriptorBuilder.Build(
            Identity,
            new DescriptorDraft
            {
                Period = term.Period,
                RevisionCounter = revision,
                IntroductionPoints = points,
                FlowControl = plan.FlowControl,
                IsSingleOnion = plan.IsSingleOnion,
            },
            now).Text;

    private sealed record KnownDirectories(
        NetworkConsensus Consensus, DescriptorTerm Term, IReadOnlyList<ResponsibleDirectory> Responsible);
}
