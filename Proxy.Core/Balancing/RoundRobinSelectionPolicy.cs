using System.Collections.Concurrent;
using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>
/// Strict rotation in the order of the file; with weights, a rotation in which each worker's turns are spread evenly.
/// The cursor walks a ring of all configured workers and takes the next one that may be picked, in one step of
/// compare-and-swap: no turn is given twice or lost, a worker that leaves hands its turns to all others alike (an index
/// modulo the number of eligible workers would jump), and one that returns is back at its place.
/// </summary>
internal sealed class RoundRobinSelectionPolicy : IWorkerSelectionPolicy
{
    private Ring _ring = new(-1, []);
    private readonly Cursor _ofAll = new();

    // A client that asks for a country walks a rotation of its own: its long steps over the ring would else skip the
    // same workers for everybody who did not ask. Countries come from the configured workers, so these are few.
    private readonly ConcurrentDictionary<string, Cursor> _ofCountry = new(StringComparer.Ordinal);

    public string Name => SelectionPolicyNames.RoundRobin;

    public WorkerState? Pick(WorkerSnapshot snapshot, in SelectionContext context)
    {
        var slots = RingOf(snapshot);
        if (snapshot.EligibleWorkers.Length == 0 || slots.Length == 0)
            return null;
        var position = _ofAll;
        if (context.Country is { } country && !_ofCountry.TryGetValue(country, out position!))
        {
            if (context.CountAdmitted(snapshot.EligibleWorkers) == 0)
                return null;
            position = _ofCountry.GetOrAdd(country, static _ => new Cursor());
        }

        while (true)
        {
            long cursor = Volatile.Read(ref position.Value);
            if (Find(slots, cursor, snapshot, context, out int step) is not { } found)
                return null;
            if (Interlocked.CompareExchange(ref position.Value, cursor + step + 1, cursor) == cursor)
                return found;
        }
    }

    public void Weigh(WorkerSnapshot snapshot, in SelectionContext context, SelectionOdds odds)
    {
        var slots = RingOf(snapshot);
        if (snapshot.EligibleWorkers.Length == 0 || slots.Length == 0)
            return;
        var position = context.Country is { } country ? _ofCountry.GetValueOrDefault(country) : _ofAll;
        long cursor = position is null ? 0 : Volatile.Read(ref position.Value);
        if (Find(slots, cursor, snapshot, context, out _) is { } worker)
            odds.Add(worker, 1);
    }

    /// <summary>The next worker from there on, and how many slots further it is; null: there is none.</summary>
    private static WorkerState? Find(
        WorkerState[] slots, long cursor, WorkerSnapshot snapshot, in SelectionContext context, out int step)
    {
        int start = (int)((ulong)cursor % (ulong)slots.Length);
        for (step = 0; step < slots.Length; step++)
        {
            int at = start + step;
            var worker = slots[at < slots.Length ? at : at - slots.Length];
            if (snapshot.MayPick(worker) && context.Admits(worker))
                return worker;
        }

        return null;
    }

    private WorkerState[] RingOf(WorkerSnapshot snapshot)
    {
        var ring = Volatile.Read(ref _ring);
        if (ring.Generation == snapshot.Generation)
            return ring.Slots;

        // Two threads may both build it; the rings are equal and either may stay.
        ring = new Ring(snapshot.Generation, BuildSlots(snapshot.AllWorkers));
        Volatile.Write(ref _ring, ring);
        return ring.Slots;
    }

    /// <summary>
    /// Each worker gets as many turns as its weight (all divided by their common divisor), at evenly spaced moments of one
    /// round: turn k of weight w falls at (k + 1/2) / w.
    /// </summary>
    private static WorkerState[] BuildSlots(WorkerState[] workers)
    {
        int divisor = 0;
        foreach (var worker in workers)
            divisor = GreatestCommonDivisor(worker.Model.Weight, divisor);

        var turns = new List<(double Moment, int Order, WorkerState Worker)>();
        for (int order = 0; order < workers.Length; order++)
        {
            int weight = workers[order].Model.Weight / divisor;
            for (int turn = 0; turn < weight; turn++)
                turns.Add(((turn + 0.5) / weight, order, workers[order]));
        }

        turns.Sort(static (a, b) => a.Moment != b.Moment ? a.Moment.CompareTo(b.Moment) : a.Order.CompareTo(b.Order));
        return [.. turns.Select(static turn => turn.Worker)];
    }

    private static int GreatestCommonDivisor(int a, int b)
    {
        while (b != 0)
            (a, b) = (b, a % b);
        return a;
    }

    private sealed class Cursor
    {
        public long Value;
    }

    private sealed record Ring(long Generation, WorkerState[] Slots);
}
