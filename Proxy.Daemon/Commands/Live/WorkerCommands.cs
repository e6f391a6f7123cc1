using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer drain</c> and <c>torbalancer enable</c>.</summary>
internal static class WorkerCommands
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    public static Command CreateDrain()
    {
        var workers = LiveArguments.Several(LiveArguments.Worker, "Their ids, as in status");
        var wait = new Option<bool>("--wait") { Description = "Return when their last connection has ended, and show how many there are" };
        var command = new Command("drain", "Give workers no new connections; live ones go on. The opposite: enable.") { workers, wait };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string[] ids = parsed.GetValue(workers)!;
            int code = await LiveArguments.EachAsync(session, "drain", ids, async id =>
            {
                using var answer = await PostAsync(session, id, "drain", cancellationToken);
                long left = Connections(answer.RootElement);
                string name = Printable.Of(answer.RootElement.Text("id") ?? id);
                return left == 0 ? $"{name} drains; nothing is on it" : $"{name} drains; {Units.Count(left, "connection")} may go on";
            });
            if (parsed.GetValue(wait) && code == ExitCodes.Done)
                await WaitAsync(session, ids, cancellationToken);
            return code;
        });
    }

    public static Command CreateEnable()
    {
        var workers = LiveArguments.Several(LiveArguments.Worker, "Their ids, as in status");
        var command = new Command(
            "enable", "Take workers back that were drained, or that are held to be dead, and use them at once.") { workers };
        return DaemonArguments.AddTo(command, (parsed, session, cancellationToken) =>
            LiveArguments.EachAsync(session, "enable", parsed.GetValue(workers)!, async id =>
            {
                using var answer = await PostAsync(session, id, "enable", cancellationToken);
                var health = answer.RootElement.Member("health") ?? default;
                string? reason = health.Text("reason");
                return Printable.Of(
                    $"{answer.RootElement.Text("id")} is enabled: {health.Text("state")}{(reason is null ? "" : $" ({reason})")}");
            }));
    }

    private static Task<JsonDocument> PostAsync(DaemonSession session, string id, string verb, CancellationToken cancellationToken) =>
        session.CommandAsync(HttpMethod.Post, $"/api/v1/workers/{LiveArguments.Segment(id)}/{verb}", cancellationToken);

    /// <summary>Until nothing is on them. On a terminal the number counts down on one line.</summary>
    private static async Task WaitAsync(DaemonSession session, string[] ids, CancellationToken cancellationToken)
    {
        long last = -1;
        while (true)
        {
            using var answer = await session.GetAsync("/api/v1/workers", cancellationToken);
            long left = answer.RootElement.Items("workers")
                .Where(worker => ids.Contains(worker.Text("id"), StringComparer.OrdinalIgnoreCase))
                .Sum(Connections);
            if (left != last)
                await TellAsync(session, left);
            if (left == 0)
                return;
            last = left;
            await Task.Delay(Pause, cancellationToken);
        }
    }

    private static Task TellAsync(DaemonSession session, long left)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{Units.Count(left, "connection")} left");
        return session.IsTerminal && left > 0 ? session.Output.WriteAsync($"\r{text}  ")
            : session.Output.WriteLineAsync(session.IsTerminal ? $"\r{text}  " : text);
    }

    private static long Connections(JsonElement worker) => worker.Member("health")?.Whole("connections") ?? 0;
}
