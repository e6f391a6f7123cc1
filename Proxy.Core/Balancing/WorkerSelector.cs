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
    string Mode, ulong Key, string? WorkerId = null, string? Country = null, LinkFamilies Link = LinkFamilies.None, bool IsFresh = false);

/// <summary>How selection behaves beyond the modes.</summary>
/// <param name="PassOver">How long a worker that could not be reached is passed over; zero: not at all.</param>
/// <param name="TryAllWhenNoneIsEligible">The last resort: when nobody is eligible, try everybody that is not drained.</param>
internal readonly record struct SelectionOptions(TimeSpan PassOver = default, bool TryAllWhenNoneIsEligible = false);

/// <summary>Picks a worker and takes a lease on it in one step; a retry is the same call with the tried ones named.</summary>
internal sealed class WorkerSelector
{
    private const int MaxRaces = 100;

    private readonly WorkerPool _pool;
    private readonly FrozenDictionary<string, IWorkerSelectionPolicy> _policies;
    private readonly Live<SelectionOptions> _options;
    private readonly TimeProvider _time;
    private readonly IRandomSource _random;
    private long _passOverUntil;

    public WorkerSelector(
        WorkerPool pool, IEnumerable<IWorkerSelectionPolicy> policies, Live<SelectionOptions> options, TimeProvider time,
        IRandomSource random)
    {
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
        var snapshot = _pool.Snapshot;
        if (request.WorkerId is { } id)
            return SelectPinned(id, request, tried);
        if (snapshot.EligibleWorkers.Length == 0 && _options.Value.TryAllWhenNoneIsEligible)
            snapshot = snapshot.LastResort;
        var policy = _policies[request.Mode];
        for (int race = 0; Pick(policy, snapshot, request, tried, out int active) is { } worker; race++)
        {
            if (IsHeldBack(worker, request.Mode) && Pick(policy, snapshot, request, [.. tried, worker], out int other) is { } instead)
                (worker, active) = (instead, other);
            WorkerState? passedOver = null;
            if (LacksCleanCircuit(worker, request) && PickWithCleanCircuit(policy, snapshot, request, tried, out int ready) is { } better
                && !IsHeldBack(better, request.Mode))
                (passedOver, worker, active) = (worker, better, ready);

            // Lost races mean that others are being served; after many of them an uneven share is the smaller evil.
            if ((active < 0 || race == MaxRaces ? worker.Lease() : worker.TryLease(active)) is { } lease)
            {
                if (request.IsFresh)
                    worker.Warm?.Claim();
                passedOver?.Warm?.Missed();
                return (lease, default);
            }
        }

        return (null, request.Country is { } country && NotServed(snapshot, country) is { IsError: true } error
            ? error
            : new ProxyError(FailureCause.NoWorkerAvailable, WhyNone(snapshot, request, tried.Length)));
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

    private WorkerState? Pick(
        IWorkerSelectionPolicy policy, WorkerSnapshot snapshot, in SelectionRequest request, ReadOnlySpan<WorkerState> tried,
        out int active)
    {
        long until = Volatile.Read(ref _passOverUntil), now = until == 0 ? 0 : _time.GetTimestamp();
        if (until > now && EnoughRemain(snapshot.EligibleWorkers, now))
        {
            var preferred = policy.Pick(snapshot, new SelectionContext(request.Key, tried, request.Country, now, request.Link), out active);
            if (preferred is not null)
                return preferred;
        }

        return policy.Pick(snapshot, new SelectionContext(request.Key, tried, request.Country, link: request.Link), out active);
    }

    /// <summary>True when a new identity would have to wait there for a circuit and may go elsewhere.</summary>
    private static bool LacksCleanCircuit(WorkerState worker, in SelectionRequest request) =>
        request.IsFresh && worker.Warm is { Clean: 0 } && LeavesChoice(request.Mode);

    /// <summary>
    /// What the mode picks among those that have a clean circuit; null: nobody has. Who is passed over for that hears of it, so that it has
    /// one the next time: else the others would keep all new identities for themselves.
    /// </summary>
    private WorkerState? PickWithCleanCircuit(
        IWorkerSelectionPolicy policy, WorkerSnapshot snapshot, in SelectionRequest request, ReadOnlySpan<WorkerState> tried,
        out int active)
    {
        long until = Volatile.Read(ref _passOverUntil), now = until == 0 ? 0 : _time.GetTimestamp();
        var context = new SelectionContext(
            request.Key, tried, request.Country, until > now ? now : 0, request.Link, needsCleanCircuit: true);
        return policy.Pick(snapshot, context, out active);
    }

    /// <summary>
    /// Slow start: a worker that has just come back takes a growing share of its turns and hands on the others. Where a
    /// connection belongs to a certain worker (sticky, failover), nothing is handed on.
    /// </summary>
    private bool IsHeldBack(WorkerState worker, string mode)
    {
        const int steps = 1000;
        return mode is not (SelectionPolicyNames.Sticky or SelectionPolicyNames.Failover)
            && worker.RampFactor(_time) is < 1 and var share && _random.Next(steps) >= share * steps;
    }

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

    private (WorkerLease?, ProxyError) SelectPinned(string id, in SelectionRequest request, ReadOnlySpan<WorkerState> tried)
    {
        var worker = _pool.Find(id);
        if (worker is null)
            return (null, new ProxyError(FailureCause.BadUserParameters, "parameter 'worker' names no worker"));
        if (request.Country is { } country && worker.Model.Country != country)
            return (null, new ProxyError(
                FailureCause.BadUserParameters, $"worker {worker.Id} is not of the country that parameter 'country' names"));
        if (LacksLink(worker, request.Link))
            return (null, new ProxyError(
                FailureCause.NoWorkerAvailable, $"worker {worker.Id} was asked for and has no WireGuard link for this route"));
        if (!worker.IsEligible || tried.Contains(worker))
            return (null, new ProxyError(
                FailureCause.NoWorkerAvailable, $"worker {worker.Id} was asked for and is not available"));
        return (worker.Lease(), default);
    }

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
            string some = string.Join("; ", snapshot.AllWorkers.Take(3).Select(Describe));
            return $"none of {snapshot.AllWorkers.Length} workers may carry traffic now ({some})";
        }

        if (request.Country is { } country && !Array.Exists(snapshot.EligibleWorkers, worker => worker.Model.Country == country))
            return "no available worker is of the country that was asked for";
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
        worker.Administrative == WorkerAdministrativeState.Draining ? $"{worker.Id}: draining"
        : worker.OperationalReason.Length > 0 ? $"{worker.Id}: {worker.OperationalReason}"
        : $"{worker.Id}: {worker.Operational}";
}
