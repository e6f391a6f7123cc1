using System.Globalization;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>What the next selection makes of one worker.</summary>
/// <param name="IsEligible">It may be picked, whether or not it is likely.</param>
/// <param name="Why">For people: its state, or what speaks against it.</param>
/// <param name="Odds">How likely it is, 0 to 1; exactly 1 or 0 where nothing is left to chance.</param>
internal sealed record SelectionCandidate(WorkerState Worker, bool IsEligible, string Why, double Odds);

/// <summary>What the next selection would be.</summary>
/// <param name="Candidates">All workers, in the order of the file.</param>
/// <param name="Error">Why there is none; no error: one of the candidates.</param>
/// <param name="IsLastResort">Nobody is available, and all that are not drained are tried.</param>
internal sealed record SelectionForecast(IReadOnlyList<SelectionCandidate> Candidates, ProxyError Error, bool IsLastResort)
{
    /// <summary>The worker that is certain; null where chance decides, and where there is none.</summary>
    public WorkerState? Chosen => Candidates.FirstOrDefault(static one => one.Odds == 1)?.Worker;
}

// What Select would do now, for people who ask.
internal sealed partial class WorkerSelector
{
    /// <summary>
    /// The outcome of <see cref="Select"/> with the same arguments at this moment, by the same steps: no turn is taken, no lease, and
    /// nobody is told.
    /// </summary>
    public SelectionForecast Foresee(in SelectionRequest request, ReadOnlySpan<WorkerState> tried = default)
    {
        if (request.WorkerId is { } id)
            return ForeseePinned(id, request, tried);
        var snapshot = InForce(_pool.Snapshot);
        var policy = _policies[request.Mode];
        var round = new Round(policy, snapshot, request, tried, policy.NextTurn, Now());
        var odds = Weigh(round);
        var error = odds.Shares.Count == 0 ? NoneLeft(snapshot, request, tried.Length) : default;

        // While all who are left are passed over, nobody is.
        bool passesOver = round.PassesOver && round.Context(passesOver: true).CountAdmitted(snapshot.EligibleWorkers) > 0;
        var context = round.Context(passesOver);
        var candidates = new List<SelectionCandidate>(snapshot.AllWorkers.Length);
        foreach (var worker in snapshot.AllWorkers)
        {
            bool mayPick = snapshot.MayPick(worker);
            var objection = mayPick ? context.ObjectionTo(worker) : SelectionObjection.None;
            double share = Tidy(odds.Of(worker));

            // One that is passed over may still have the turn of one that starts slowly.
            bool eligible = mayPick && (objection == SelectionObjection.None || share > 0);
            candidates.Add(new SelectionCandidate(
                worker, eligible, objection == SelectionObjection.None ? Why(worker, snapshot, request) : Why(objection, request), share));
        }

        return new SelectionForecast(candidates, error, snapshot.IsLastResort);
    }

    private SelectionForecast ForeseePinned(string id, in SelectionRequest request, ReadOnlySpan<WorkerState> tried)
    {
        var snapshot = _pool.Snapshot;
        var pinned = FindPinned(id, request, tried, out var refused);
        var candidates = new List<SelectionCandidate>(snapshot.AllWorkers.Length);
        foreach (var worker in snapshot.AllWorkers)
        {
            bool isMeant = worker == pinned;
            bool isNamed = worker.Id.Equals(id, StringComparison.OrdinalIgnoreCase);
            candidates.Add(new SelectionCandidate(
                worker, isMeant,
                isMeant ? "asked for by name" : !isNamed ? "another worker was asked for by name"
                : worker.IsEligible ? refused.Detail ?? refused.Word : Describe(worker),
                isMeant ? 1 : 0));
        }

        return new SelectionForecast(candidates, refused, IsLastResort: false);
    }

    /// <summary>
    /// Each step by itself, over all that the step before may have given: workers are few, ways through all steps are many.
    /// </summary>
    private SelectionOdds Weigh(in Round round)
    {
        SelectionOdds first = new(), second = new(), last = new();
        var chance = new WeighedChance();
        do
        {
            if (Pick(chance, round, out _) is { } worker)
                first.Add(worker, chance.Share);
        }
        while (chance.Next());

        int active = 0;
        foreach (var (worker, share) in first.Shares)
        {
            do
            {
                second.Add(HandOnWhileStarting(chance, round, worker, ref active), chance.Share * share);
            }
            while (chance.Next());
        }

        foreach (var (worker, share) in second.Shares)
        {
            do
            {
                last.Add(MoveToCleanCircuit(chance, round, worker, ref active) ?? worker, chance.Share * share);
            }
            while (chance.Next());
        }

        return last;
    }

    private string Why(WorkerState worker, WorkerSnapshot snapshot, in SelectionRequest request)
    {
        if (!snapshot.MayPick(worker))
        {
            return snapshot.IsLastResort && worker.Administrative == WorkerAdministrativeState.Enabled
                ? "it has not said yet where it listens" : $"{State(worker)}{Detail(worker)}";
        }

        string state = State(worker);
        if (snapshot.IsLastResort)
            return $"the last resort: {state}";
        if (request.Mode is not (SelectionPolicyNames.Sticky or SelectionPolicyNames.Failover)
            && worker.RampFactor(_time) is < 1 and var share)
            return string.Create(CultureInfo.InvariantCulture, $"{state}; has just come back and takes {share * 100:0} % of its turns");
        return request.IsFresh && LacksCleanCircuit(worker, request.Mode) ? $"{state}; no clean circuit for a new identity" : state;
    }

    private static string State(WorkerState worker) =>
        worker.Administrative == WorkerAdministrativeState.Enabled ? worker.Operational.Word() : worker.Administrative.Word();

    private static string Detail(WorkerState worker) =>
        worker.Administrative == WorkerAdministrativeState.Enabled && worker.OperationalReason.Length > 0
            ? $": {worker.OperationalReason}" : "";

    private static string Why(SelectionObjection objection, in SelectionRequest request) => objection switch
    {
        SelectionObjection.Tried => "this connection has tried it",
        SelectionObjection.Country => $"not of country {request.Country}",
        SelectionObjection.Choice => "not one that the user may use",
        SelectionObjection.Link => request.Link == LinkFamilies.IPv6
            ? "no WireGuard link with an IPv6 address" : "no WireGuard link for this route",
        _ => "passed over: it could not be reached a moment ago",
    };

    /// <summary>Sums of shares that are a hair from certain are certain.</summary>
    private static double Tidy(double share) => Math.Abs(1 - share) < 1e-9 ? 1 : share;
}
