using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;

namespace TorBalancer.Admin;

/// <summary>Copies of what is, for people and programs that look on. Nothing here changes anything.</summary>
internal sealed class AdminViews(
    WorkerViews workers, ConnectionViews connections, SessionTable sessions, Live<LogOptions> log)
{
    /// <summary>Those of workers.</summary>
    public WorkerViews Workers => workers;

    /// <summary>Those of client connections.</summary>
    public ConnectionViews Connections => connections;

    public int SessionCount => sessions.Count;

    /// <summary>Who knows a session's name and its user's can share its circuit: names are shown where targets are.</summary>
    public SessionsView Sessions() => new([.. sessions.List().Select(Of)]);

    private SessionView Of(SessionInfo session) => new()
    {
        Id = session.Id,
        Name = log.Value.Targets ? session.Name : null,
        Worker = session.WorkerId,
        AgeMs = Milliseconds(session.Age),
        IdleMs = Milliseconds(session.Idle),
        Uses = session.Uses,
        ExpiresMs = session.ExpiresIn is { } left ? Milliseconds(left) : null,
        UsesLeft = session.UsesLeft,
    };

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
