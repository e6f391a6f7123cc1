using System.Collections.Frozen;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>What a connection's selection is restricted to, decided once for all of its attempts.</summary>
/// <param name="Mode">A balancing mode's name.</param>
/// <param name="Key">The hash for mode sticky.</param>
/// <param name="WorkerId">The only worker allowed; null: any.</param>
/// <param name="Country">The only country allowed; null: any.</param>
/// <param name="Link">Only workers whose WireGuard link carries one of these; none: a link is not needed.</param>
/// <param name="IsFresh">A new identity: workers with a clean circuit are preferred, where the mode leaves a choice.</param>
internal readonly record struct SelectionRequest(
    string Mode, ulong Key, string? WorkerId = null, string? Country = null, LinkFamilies Link = LinkFamilies.None, bool IsFresh = false)
{
    /// <summary>The only workers for who asks; null: all.</summary>
    public WorkerChoice? Choice { get; init; }
}

/// <summary>How selection behaves beyond the modes.</summary>
/// <param name="PassOver">How long a worker that could not be reached is passed over; zero: not at all.</param>
/// <param name="TryAllWhenNoneIsEligible">The last resort: when nobody is eligible, try everybody that is not drained.</param>
internal readonly record struct SelectionOptions(TimeSpan PassOver = default, bool TryAllWhenNoneIsEligible = false);

/// <summary>Picks a worker and takes a lease on it in one step; a retry is the same call with the tried ones named.</summary>
internal sealed partial class WorkerSelector
{
    private const int MaxRaces = 100;

    private const string NotAllKnown = "not all workers are known yet: those that [Discovery] names are still asked for";

    private readonly WorkerPool _pool;
    private readonly FrozenDictionary<string, IWorkerSelectionPolicy> _policies;
    private readonly Live<SelectionOptions> _options;
    private readonly TimeProvider _time;
    private readonly IRandomSource _random;
    private readonly DiscoveryState? _discovery;
    private long _passOverUntil;

    /// <param name="discovery">Whether workers of DNS are waited for; null: there are none.</param>
    public WorkerSelector(
        WorkerPool pool, IEnumerable<IWorkerSelectionPolicy> policies, Live<SelectionOptions> options, TimeProvider time,
        IRandomSource random, DiscoveryState? discovery = null)
    {
        _discovery = discovery;
        _random = random;
        _pool = pool;
        _options = options;
        _time = time;
        _policies = policies.ToFrozenDictionary(static policy => policy.Name, StringComparer.Ordinal);
    }

    /// <summary>All modes over one source of chance.</summary>
    public static IReadOnlyList<IWorkerSelectionPolicy> CreatePolicies(IRandomSource random) =>
    [
        new RoundRobinSelectionPolicy(), new StickySelectionPolicy(), new RandomSelectionPolicy(random),
        new LeastConnectionsSelectionPolicy(),
        new FailoverSelectionPolicy(), new PowerOfTwoSelectionPolicy(random), new FastestSelectionPolicy(random),
    ];

    /// <summary>A lease on the next worker, or the reason why there is none.</summary>
    public (WorkerLease? Lease, ProxyError Error) Select(in SelectionRequest request, ReadOnlySpan<WorkerState> tried)
    {
        if (request.WorkerId is { } id)
            return FindPinned(id, request, tried, out var refused) is { } pinned ? (pinned.Lease(), default) : (null, refused);
        var snapshot = InForce(_pool.Snapshot);
        var policy = _policies[request.Mode];
        var chance = new DecidedChance(_random);
        for (int race = 0; ; race++)
        {
            var round = new Round(policy, snapshot, request, tried, policy.TakeTurn(), Now());
            if (Pick(chance, round, out int active) is not { } first)
                break;
            var worker = HandOnWhileStarting(chance, round, first, ref active);
            WorkerState? passedOver = null;
            if (MoveToCleanCircuit(chance, round, worker, ref active) is { } better)
                (passedOver, worker) = (worker, better);

            // Lost races mean that others are being served; after many of them an uneven share is the smaller evil.
            if ((active < 0 || race == MaxRaces ? worker.Lease() : worker.TryLease(active)) is { } lease)
            {
                if (request.IsFresh)
                    worker.Warm?.Claim();
                passedOver?.Warm?.Missed();
                return (lease, default);
            }
        }

        return (null, NoneLeft(snapshot, request, tried.Length));
    }

    /// <summary>
    /// True for modes that pick by chance or load, where another worker is as good. The others promise a certain one.
    /// </summary>
    public static bool LeavesChoice(string mode) => mode is SelectionPolicyNames.Random or SelectionPolicyNames.LeastConnections
        or SelectionPolicyNames.PowerOfTwo or SelectionPolicyNames.Fastest;

    /// <summary>A worker could not be reached: for a moment others are preferred, whatever health will say of it.</summary>
    public void PassOver(WorkerState worker)
    {
        var passOver = _options.Value.PassOver;
        if (passOver <= TimeSpan.Zero)
            return;
        long until = _time.GetTimestamp() + (long)(passOver.TotalSeconds * _time.TimestampFrequency);
        worker.PassedOverUntil = until;
        Volatile.Write(ref _passOverUntil, until);
    }

    /// <summary>When nobody is eligible, and the operator wants it so, everybody who is not drained.</summary>
    private WorkerSnapshot InForce(WorkerSnapshot snapshot) =>
        snapshot.EligibleWorkers.Length == 0 && _options.Value.TryAllWhenNoneIsEligible ? snapshot.LastResort : snapshot;

    /// <summary>A timestamp while somebody may be passed over; 0: nobody is.</summary>
    private long Now()
    {
        long until = Volatile.Read(ref _passOverUntil), now = until == 0 ? 0 : _time.GetTimestamp();
        return until > now ? now : 0;
    }

    // The three steps of a selection. They say nothing to anybody and take nothing but turns and chances, which are handed in: what they
    // do for a connection they do for Foresee.
    private static WorkerState? Pick<TChance>(TChance chance, in Round round, out int active)
        where TChance : ISelectionChance
    {
        if (round.PassesOver)
        {
            var preferred = chance.Pick(round.Policy, round.Snapshot, round.Context(passesOver: true), out active);
            if (preferred is not null)
                return preferred;
        }

        return chance.Pick(round.Policy, round.Snapshot, round.Context(passesOver: false), out active);
    }

    /// <summary>The same worker, or the one that its turn is handed on to.</summary>
    private WorkerState HandOnWhileStarting<TChance>(TChance chance, in Round round, WorkerState worker, ref int active)
        where TChance : ISelectionChance
    {
        if (!IsHeldBack(chance, worker, round.Mode)
            || Pick(chance, round.Besides([.. round.Tried, worker]), out int other) is not { } instead)
            return worker;
        active = other;
        return instead;
    }

    /// <summary>True when a new identity would have to wait there for a circuit and may go elsewhere.</summary>
    private static bool LacksCleanCircuit(WorkerState worker, string mode) => worker.Warm is { Clean: 0 } && LeavesChoice(mode);

    /// <summary>
    /// What the mode picks among those that have a clean circuit, where that worker has none; null: the worker stays, or nobody has. Who is
    /// passed over for that hears of it, so that it has one the next time: else the others would keep all new identities for themselves.
    /// </summary>
    private WorkerState? MoveToCleanCircuit<TChance>(TChance chance, in Round round, WorkerState worker, ref int active)
        where TChance : ISelectionChance
    {
        if (!round.IsFresh || !LacksCleanCircuit(worker, round.Mode)
            || chance.Pick(round.Policy, round.Snapshot, round.CleanContext, out int ready) is not { } better
            || IsHeldBack(chance, better, round.Mode))
            return null;
        active = ready;
        return better;
    }

    /// <summary>
    /// Slow start: a worker that has just come back takes a growing share of its turns and hands on the others. Where a
    /// connection belongs to a certain worker (sticky, failover), nothing is handed on.
    /// </summary>
    private bool IsHeldBack<TChance>(TChance chance, WorkerState worker, string mode)
        where TChance : ISelectionChance =>
        mode is not (SelectionPolicyNames.Sticky or SelectionPolicyNames.Failover)
            && worker.RampFactor(_time) is < 1 and var share && !chance.Happens(share);

    /// <summary>With half of the workers or more passed over, the rest would be flooded: then nobody is.</summary>
    private static bool EnoughRemain(WorkerState[] eligible, long now)
    {
        int passedOver = 0;
        foreach (var worker in eligible)
        {
            if (worker.PassedOverUntil > now)
                passedOver++;
        }

        return passedOver * 2 < eligible.Length || (passedOver == 1 && eligible.Length == 2);
    }

    /// <summary>The worker that was asked for by name; null with the reason when it cannot be had.</summary>
    private WorkerState? FindPinned(string id, in SelectionRequest request, ReadOnlySpan<WorkerState> tried, out ProxyError refused)
    {
        var worker = _pool.Find(id);
        if (worker is null)
        {
            refused = _discovery is { IsAwaited: true }
                ? new ProxyError(FailureCause.NoWorkerAvailable, NotAllKnown)
                : new ProxyError(FailureCause.BadUserParameters, "parameter 'worker' names no worker");
        }
        else if (request.Country is { } country && worker.Model.Country != country)
            refused = new ProxyError(
                FailureCause.BadUserParameters, $"worker {worker.Id} is not of the country that parameter 'country' names");
        else if (request.Choice?.Admits(worker.Model) == false)
            refused = new ProxyError(FailureCause.UserNotPermitted, $"the user may not use worker {worker.Id}");
        else if (LacksLink(worker, request.Link))
            refused = new ProxyError(
                FailureCause.NoWorkerAvailable, $"worker {worker.Id} was asked for and has no WireGuard link for this route");
        else if (!worker.IsEligible || tried.Contains(worker))
            refused = new ProxyError(FailureCause.NoWorkerAvailable, $"worker {worker.Id} was asked for and is not available");
        else
            refused = default;
        return refused.IsError ? null : worker;
    }

    private ProxyError NoneLeft(WorkerSnapshot snapshot, in SelectionRequest request, int tried) =>
        Never(snapshot, request) is { IsError: true } never
            ? _discovery is { IsAwaited: true } ? new ProxyError(FailureCause.NoWorkerAvailable, NotAllKnown) : never
            : new ProxyError(FailureCause.NoWorkerAvailable, WhyNone(snapshot, request, tried));

    /// <summary>Why none of the workers that are known could ever serve it; no error: one could.</summary>
    private static ProxyError Never(WorkerSnapshot snapshot, in SelectionRequest request) =>
        request.Country is { } country && NotServed(snapshot, country) is { IsError: true } error ? error
            : request.Choice is { } choice ? NotOpenTo(snapshot, choice) : default;

    /// <summary>Nor would it help a user whose [User] section leaves none of the workers.</summary>
    private static ProxyError NotOpenTo(WorkerSnapshot snapshot, WorkerChoice choice) =>
        snapshot.AllWorkers.Length == 0 || Array.Exists(snapshot.AllWorkers, worker => choice.Admits(worker.Model))
            ? default : new ProxyError(FailureCause.UserNotPermitted, "the user may use none of the workers");

    /// <summary>Waiting would not help a client that asks for a country of no worker's.</summary>
    private static ProxyError NotServed(WorkerSnapshot snapshot, string country)
    {
        if (snapshot.AllWorkers.Length == 0 || Array.Exists(snapshot.AllWorkers, worker => worker.Model.Country == country))
            return default;
        string[] served =
            [.. snapshot.AllWorkers.Select(static worker => worker.Model.Country).Where(static one => one.Length > 0).Distinct()];
        return new ProxyError(
            FailureCause.CountryNotServed,
            served.Length == 0
                ? "no worker says in which country its exits are"
                : $"no worker has its exits in the country that was asked for; there are {string.Join(", ", served)}");
    }

    private static string WhyNone(WorkerSnapshot snapshot, in SelectionRequest request, int tried)
    {
        if (snapshot.AllWorkers.Length == 0)
            return "no worker is ready yet";
        if (snapshot.EligibleWorkers.Length == 0)
        {
            string some = string.Join("; ", snapshot.AllWorkers.Take(3).Select(static worker => $"{worker.Id}: {Describe(worker)}"));
            return $"none of {snapshot.AllWorkers.Length} workers may carry traffic now ({some})";
        }

        if (request.Country is { } country && !Array.Exists(snapshot.EligibleWorkers, worker => worker.Model.Country == country))
            return "no available worker is of the country that was asked for";
        if (request.Choice is { } choice && Array.TrueForAll(snapshot.EligibleWorkers, worker => !choice.Admits(worker.Model)))
            return "no available worker is one that the user may use";
        var link = request.Link;
        if (Array.TrueForAll(snapshot.EligibleWorkers, worker => LacksLink(worker, link)))
        {
            return link == LinkFamilies.IPv6
                ? "no available worker has a WireGuard link with an IPv6 address"
                : "no available worker has a WireGuard link for this route";
        }

        return $"all of {tried} available workers were tried";
    }

    private static bool LacksLink(WorkerState worker, LinkFamilies need) =>
        need != LinkFamilies.None && (worker.Model.LinkFamilies & need) == 0;

    private static string Describe(WorkerState worker) =>
        worker.Administrative != WorkerAdministrativeState.Enabled ? worker.Administrative.Word()
        : worker.OperationalReason.Length > 0 ? worker.OperationalReason
        : worker.Operational.ToString();

    /// <summary>What all steps of one selection go by.</summary>
    /// <param name="turn">The mode's.</param>
    /// <param name="now">A timestamp when workers may have to be passed over; 0: none have.</param>
    private readonly ref struct Round(
        IWorkerSelectionPolicy policy, WorkerSnapshot snapshot, scoped in SelectionRequest request, ReadOnlySpan<WorkerState> tried,
        uint turn, long now)
    {
        private readonly SelectionRequest _request = request;

        public IWorkerSelectionPolicy Policy => policy;

        public WorkerSnapshot Snapshot => snapshot;

        public ReadOnlySpan<WorkerState> Tried { get; } = tried;

        public string Mode => _request.Mode;

        public bool IsFresh => _request.IsFresh;

        /// <summary>True when those that could not be reached are passed over, if another is left.</summary>
        public bool PassesOver => now != 0 && EnoughRemain(snapshot.EligibleWorkers, now);

        public SelectionContext CleanContext =>
            new(_request.Key, Tried, _request.Country, now, _request.Link, needsCleanCircuit: true, turn) { Choice = _request.Choice };

        public SelectionContext Context(bool passesOver) =>
            new(_request.Key, Tried, _request.Country, passesOver ? now : 0, _request.Link, turn: turn) { Choice = _request.Choice };

        public Round Besides(ReadOnlySpan<WorkerState> more) => new(policy, snapshot, _request, more, turn, now);
    }
}
