using System.CommandLine;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer sessions</c> and <c>torbalancer rotate</c>.</summary>
internal static class SessionCommands
{
    public static Command CreateSessions()
    {
        var json = LiveArguments.Json();
        var command = new Command("sessions", "List the sessions that clients use, the most recently used first.") { json };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            using var answer = await session.GetAsync("/api/v1/sessions", cancellationToken);
            if (parsed.GetValue(json))
                return await LiveArguments.PrintJsonAsync(session, answer.RootElement);
            var table = new TextTable("SESSION", "NAME", "WORKER", ">AGE", ">IDLE", ">USES", "ENDS");
            foreach (var one in answer.RootElement.Items("sessions"))
            {
                string? ends = one.Whole("expires_ms") is { } left ? $"in {Units.Time(left)}" : null;
                if (one.Whole("uses_left") is { } uses)
                    ends = $"{ends} after {Units.Count(uses, "use")}".TrimStart();
                table.Add(
                    one.Text("id"), one.Text("name") ?? "(hidden)", one.Text("worker"), Units.Time(one.Whole("age_ms") ?? 0),
                    Units.Time(one.Whole("idle_ms") ?? 0), one.Whole("uses") ?? 0, ends ?? "never");
            }

            if (table.Count == 0)
                await session.Output.WriteLineAsync("no sessions");
            else
                await session.WriteAsync(table);
            return ExitCodes.Done;
        });
    }

    public static Command CreateRotate()
    {
        var sessions = LiveArguments.Several(LiveArguments.Session, "Names, which mean all users of that name, or ids such as s-7");
        var command = new Command("rotate", "Give sessions another circuit from their next connection on; open ones stay.") { sessions };
        return DaemonArguments.AddTo(command, (parsed, session, cancellationToken) =>
            LiveArguments.EachAsync(session, "rotate", parsed.GetValue(sessions)!, async name =>
            {
                using var answer = await session.CommandAsync(
                    HttpMethod.Post, $"/api/v1/sessions/{LiveArguments.Segment(name)}/rotate", cancellationToken);
                return $"{Printable.Of(name)}: {Units.Count(answer.RootElement.Whole("rotated") ?? 0, "session")} rotated";
            }));
    }
}
