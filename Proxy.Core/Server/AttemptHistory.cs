using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>What became of an attempt.</summary>
internal enum AttemptOutcome : byte
{
    UnderWay,
    Succeeded,
    Failed,

    /// <summary>Another was faster, or the client left.</summary>
    GivenUp,
}

/// <summary>One attempt of a connection.</summary>
/// <param name="Began">A timestamp.</param>
/// <param name="Elapsed">Zero while it is under way, and when it was given up.</param>
/// <param name="Error">Why it failed; no error else.</param>
internal sealed record AttemptRecord(
    string WorkerId, bool ViaLink, long Began, TimeSpan Elapsed, AttemptOutcome Outcome, ProxyError Error = default);

/// <summary>
/// The attempts of one client connection's latest request, for views. Nearly all have one that succeeds: that takes no object of its own,
/// and what most connections do not need stands behind one reference. Written by the connection, read from anywhere.
/// </summary>
internal abstract class AttemptHistory : IAttemptWatcher
{
    /// <summary>Hedges and retries are bounded by [Connect] Attempts; this bounds what is kept for views.</summary>
    private const int MaxKept = 16;

    private WorkerState? _worker;
    private AttemptRecord[]? _others;
    private long _began;
    private int _elapsedMs = UnderWay;
    private bool _viaLink;

    private const int UnderWay = -1;

    /// <summary>In the order in which they began.</summary>
    public IReadOnlyList<AttemptRecord> AttemptList
    {
        get
        {
            var (worker, others) = (Volatile.Read(ref _worker), Volatile.Read(ref _others) ?? []);
            if (worker is null)
                return others;
            int elapsed = Volatile.Read(ref _elapsedMs);
            var latest = new AttemptRecord(
                worker.Id, _viaLink, _began, TimeSpan.FromMilliseconds(Math.Max(elapsed, 0)),
                elapsed != UnderWay ? AttemptOutcome.Succeeded : IsOver ? AttemptOutcome.GivenUp : AttemptOutcome.UnderWay);
            return [.. others.Append(latest).OrderBy(static one => one.Began)];
        }
    }

    /// <summary>True when the connection has ended: nothing is under way any more.</summary>
    protected abstract bool IsOver { get; }

    /// <summary>The connection asks for another stream (another request of HTTP).</summary>
    public void BeginAttempts()
    {
        Volatile.Write(ref _worker, null);
        Volatile.Write(ref _others, null);
        Volatile.Write(ref _elapsedMs, UnderWay);
    }

    public void AttemptBegan(WorkerState worker, bool viaLink, long began)
    {
        // A hedge: the first is still under way.
        if (_worker is { } first)
            Keep(new AttemptRecord(first.Id, _viaLink, _began, default, AttemptOutcome.UnderWay));
        (_viaLink, _began) = (viaLink, began);
        Volatile.Write(ref _worker, worker);
    }

    public void AttemptSucceeded(WorkerState worker, TimeSpan elapsed)
    {
        if (_others is { } others)
        {
            var mine = _worker == worker
                ? null : Array.Find(others, one => one.Outcome == AttemptOutcome.UnderWay && one.WorkerId == worker.Id);
            if (mine is not null)
            {
                // The hedge lost, or has failed already.
                if (_worker is { } late)
                    Keep(new AttemptRecord(late.Id, _viaLink, _began, default, AttemptOutcome.GivenUp));
                (_viaLink, _began) = (mine.ViaLink, mine.Began);
                Volatile.Write(ref _worker, worker);
            }

            Volatile.Write(
                ref _others,
                [
                    .. _others.Where(one => one != mine).Select(
                        static one => one.Outcome == AttemptOutcome.UnderWay ? one with { Outcome = AttemptOutcome.GivenUp } : one),
                ]);
        }

        Volatile.Write(ref _elapsedMs, (int)Math.Min(elapsed.TotalMilliseconds, int.MaxValue));
    }

    public void AttemptFailed(WorkerState worker, bool viaLink, ProxyError error, TimeSpan elapsed)
    {
        var mine = _others is { } others
            ? Array.Find(others, one => one.Outcome == AttemptOutcome.UnderWay && one.WorkerId == worker.Id) : null;
        long began = mine?.Began ?? _began;
        if (mine is not null)
            Volatile.Write(ref _others, [.. _others!.Where(one => one != mine)]);
        else
            Volatile.Write(ref _worker, null);
        Keep(new AttemptRecord(worker.Id, viaLink, began, elapsed, AttemptOutcome.Failed, error));
    }

    private void Keep(AttemptRecord record)
    {
        var others = _others ?? [];
        if (others.Length < MaxKept)
            Volatile.Write(ref _others, [.. others, record]);
    }
}
