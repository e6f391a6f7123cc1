using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;
using TorBalancer.Server;

namespace TorBalancer.Admin;

/// <summary>Client connections for people and programs that look on.</summary>
internal sealed class ConnectionViews(ProxyServer server, ExitLookup exits, Live<LogOptions> log, TimeProvider time)
{
    /// <summary>How many are live.</summary>
    public int Count => server.Connections.Count;

    /// <summary>The live ones, the oldest first.</summary>
    /// <param name="worker">Only those of this worker; null: all.</param>
    public ConnectionsView All(string? worker = null) => new(
    [
        .. server.Connections.All.Select(static connection => connection.Context)
            .Where(context => worker is null || worker.Equals(context.WorkerId, StringComparison.OrdinalIgnoreCase))
            .OrderBy(static context => context.Started).Select(Of),
    ]);

    /// <summary>A live connection by its id; null: it is none.</summary>
    public LiveConnection? FindLive(string id) => Number(id) is { } number ? server.Connections.Find(number) : null;

    /// <summary>A live connection, or one of the last that ended; null: neither.</summary>
    public ConnectionDetailView? Find(string id)
    {
        if (Number(id) is not { } number)
            return null;
        var context = server.Connections.Find(number)?.Context ?? server.Connections.FindRecent(number);
        return context is null ? null : DetailOf(context);
    }

    private static long? Number(string id) =>
        id is ['c', .. var digits] && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number : null;

    private ConnectionView Of(ConnectionContext context) => new()
    {
        Id = context.Id,
        State = StateOf(context),
        Listener = context.Listener.Name,
        Protocol = context.Protocol.Word(),
        Target = context.Target is { } target ? AccessLog.TargetText(target, log.Value.Targets) : null,
        Worker = context.WorkerId,
        Exit = exits.Find(context.Stream),
        AgeMs = Milliseconds(time.GetElapsedTime(context.Started)),
        BytesSent = context.Counters.FromClient,
        BytesReceived = context.Counters.FromUpstream,
    };

    public ConnectionDetailView DetailOf(ConnectionContext context)
    {
        var attempts = context.AttemptList;
        bool isOver = context.Ended != 0;
        var latest = attempts.Count > 0 ? attempts[^1] : null;
        var circuit = isOver ? context.Circuit : exits.FindCircuit(context.Stream);
        var error = context.Error;
        return new ConnectionDetailView
        {
            Id = context.Id,
            State = StateOf(context),
            Listener = context.Listener.Name,
            Protocol = context.Protocol.Word(),
            Target = context.Target is { } target ? AccessLog.TargetText(target, log.Value.Targets) : null,
            Worker = context.WorkerId ?? latest?.WorkerId,
            Route = context.WorkerId is not null ? Route(context.ViaLink) : latest is null ? null : Route(latest.ViaLink),
            Attempts = [.. attempts.Select(attempt => Of(attempt, context))],
            Circuit = circuit is null ? null : CircuitView.From(circuit),
            Exit = context.ExitOf(circuit),
            Cause = error.Word,
            Message = error.Detail,
            End = context.End is { } end ? AccessLog.Word(end) : null,
            Started = time.GetUtcNow() - time.GetElapsedTime(context.Started),
            ConnectMs = context.ConnectTime > TimeSpan.Zero ? Milliseconds(context.ConnectTime) : null,
            AgeMs = Milliseconds(isOver ? time.GetElapsedTime(context.Started, context.Ended) : time.GetElapsedTime(context.Started)),
            EndedMsAgo = isOver ? Milliseconds(time.GetElapsedTime(context.Ended)) : null,
            BytesSent = context.Counters.FromClient,
            BytesReceived = context.Counters.FromUpstream,
        };
    }

    private AttemptView Of(AttemptRecord attempt, ConnectionContext context) => new()
    {
        Worker = attempt.WorkerId,
        Route = Route(attempt.ViaLink),
        Outcome = attempt.Outcome switch
        {
            AttemptOutcome.UnderWay => "under_way",
            AttemptOutcome.Succeeded => "succeeded",
            AttemptOutcome.Failed => "failed",
            _ => "given_up",
        },
        Cause = attempt.Error.IsError ? attempt.Error.Word : null,
        Message = attempt.Error.Detail,
        BeganMs = Milliseconds(time.GetElapsedTime(context.Started, attempt.Began)),
        TookMs = attempt.Outcome is AttemptOutcome.Succeeded or AttemptOutcome.Failed ? Milliseconds(attempt.Elapsed) : null,
    };

    private static string StateOf(ConnectionContext context)
    {
        if (context.Ended != 0)
            return "ended";
        if (context.Stream is not null || context.IsTunnel)
            return "open";
        var attempts = context.AttemptList;
        return attempts.Count == 0 ? "handshake" : attempts[^1].Outcome == AttemptOutcome.UnderWay ? "connecting" : "open";
    }

    private static string Route(bool viaLink) => viaLink ? "wireguard" : "socks";

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
