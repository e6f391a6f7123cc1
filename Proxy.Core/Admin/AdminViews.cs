using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Server;

namespace TorBalancer.Admin;

/// <summary>Copies of what is, for people and programs that look on. Nothing here changes anything.</summary>
internal sealed class AdminViews(
    WorkerViews workers, ProxyServer server, ExitLookup exits, SessionTable sessions, Live<LogOptions> log, TimeProvider time)
{
    /// <summary>Those of workers.</summary>
    public WorkerViews Workers => workers;

    public int ConnectionCount => server.Connections.Count;

    public int SessionCount => sessions.Count;

    public ConnectionsView Connections() => new(
        [.. server.Connections.All.Select(static connection => connection.Context).OrderBy(static context => context.Started).Select(Of)]);

    /// <summary>Who knows a session's name and its user's can share its circuit: names are shown where targets are.</summary>
    public SessionsView Sessions() => new([.. sessions.List().Select(Of)]);

    private ConnectionView Of(ConnectionContext context) => new()
    {
        Id = context.Id,
        Listener = context.Listener.Name,
        Protocol = context.Protocol.Word(),
        Target = context.Target is null ? null : AccessLog.TargetText(context.Target, log.Value.Targets),
        Worker = context.WorkerId,
        Exit = exits.Find(context.Stream),
        AgeMs = Milliseconds(time.GetElapsedTime(context.Started)),
        BytesSent = context.Counters.FromClient,
        BytesReceived = context.Counters.FromUpstream,
    };

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
