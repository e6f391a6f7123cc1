using System.CommandLine;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer connections</c> and <c>torbalancer close</c>.</summary>
internal static class ConnectionCommands
{
    public static Command CreateConnections()
    {
        var json = LiveArguments.Json();
        var worker = new Option<string?>("--worker")
        {
            Description = "Only those that this worker carries",
            HelpName = LiveArguments.Worker,
        };
        var command = new Command("connections", "List the live connections of clients, the oldest first.") { worker, json };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string? id = parsed.GetValue(worker);
            string query = id is null ? "" : $"?worker={LiveArguments.Segment(id)}";
            using var answer = await session.GetAsync($"/api/v1/connections{query}", cancellationToken);
            if (parsed.GetValue(json))
                return await LiveArguments.PrintJsonAsync(session, answer.RootElement);
            var table = Table();
            foreach (var one in answer.RootElement.Items("connections").Where(one => IsOf(one, id)))
                AddTo(table, one);
            if (table.Count == 0)
                await session.Output.WriteLineAsync(id is null ? "no connections" : $"no connections by {Printable.Of(id)}");
            else
                await session.WriteAsync(table);
            return ExitCodes.Done;
        });
    }

    public static Command CreateClose()
    {
        var connections = LiveArguments.Several(LiveArguments.Connection, "Ids as in the log, such as c123");
        var command = new Command("close", "End live connections of clients.") { connections };
        return DaemonArguments.AddTo(command, (parsed, session, cancellationToken) =>
            LiveArguments.EachAsync(session, "close", parsed.GetValue(connections)!, async id =>
            {
                using var answer = await session.CommandAsync(
                    HttpMethod.Delete, $"/api/v1/connections/{LiveArguments.Segment(id)}", cancellationToken);
                var one = answer.RootElement;
                return Printable.Of($"{one.Text("id") ?? id} is closed: {one.Text("target") ?? "no request yet"} by "
                    + $"{one.Text("worker") ?? "no worker"}, {Units.Time(one.Whole("age_ms") ?? 0)} old");
            }));
    }

    public static TextTable Table() =>
        new("ID", "LISTENER", "PROTOCOL", "TARGET", "WORKER", "EXIT", ">AGE", ">SENT", ">RECEIVED");

    /// <summary>One connection as a row of such a table.</summary>
    public static void AddTo(TextTable table, JsonElement one) => table.Add(
        one.Text("id"), one.Text("listener"), one.Text("protocol"), one.Text("target"), one.Text("worker"), NameOf(one.Text("exit")),
        Units.Time(one.Whole("age_ms") ?? 0), Units.Bytes(one.Whole("bytes_sent") ?? 0), Units.Bytes(one.Whole("bytes_received") ?? 0));

    /// <summary>The nickname, which is what fits: the fingerprint is in <c>--json</c> and in <c>explain</c>.</summary>
    public static string? NameOf(string? relay) => relay is null ? null : relay[(relay.LastIndexOf('~') + 1)..];

    // An older daemon does not know the question and lists them all.
    private static bool IsOf(JsonElement connection, string? worker) =>
        worker is null || string.Equals(connection.Text("worker"), worker, StringComparison.OrdinalIgnoreCase);
}
