using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>
/// A session whose life-time or count is nearly over gets its next circuit before it needs it: its worker is asked to have one more
/// clean circuit until then. Only a session that is in use right up to that moment does: an idle one costs nothing.
/// </summary>
internal static class SessionSuccessor
{
    /// <summary>A use within so much of its end is use right up to it; half of a life-time that is shorter than twice that.</summary>
    private static readonly TimeSpan Lead = TimeSpan.FromSeconds(30);

    /// <summary>How long the circuit is kept ready past the end of a life-time, and how long for a count, whose end has no date.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10), CountGrace = TimeSpan.FromMinutes(1);

    /// <summary>After a use of the session that <paramref name="worker"/> carries.</summary>
    public static void Prepare(in SessionUse use, WorkerState worker, TimeProvider time)
    {
        var session = use.Session;
        if (session is { Lifetime: null, MaxUses: null })
            return;

        // What was kept ready for the epoch before was needed now, or was not.
        if (session.Successor is { } earlier && earlier.Epoch != use.Epoch)
            session.ReplaceSuccessor(earlier, null);
        if (session.Successor is not null || worker.Warm is not { } warm)
            return;
        if (TimeLeft(session, time) is { } within && warm.ExpectSuccessor(within) is { } kept
            && !session.ReplaceSuccessor(null, new PreparedSuccessor(use.Epoch, kept)))
        {
            kept.Dispose();
        }
    }

    /// <summary>Null: its end is not near.</summary>
    private static TimeSpan? TimeLeft(Session session, TimeProvider time)
    {
        if (session is { Lifetime: { } lifetime, Ends: { } ends })
        {
            var left = ends - time.GetUtcNow();
            if (left <= (lifetime < 2 * Lead ? lifetime / 2 : Lead))
                return left + Grace;
        }

        return session.MaxUses is { } most && most - session.Uses <= Math.Min(most - 1, 1) ? CountGrace : null;
    }
}
