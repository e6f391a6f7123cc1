using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer status</c>: the pool on one screen.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--json")
        {
            Description = "In JSON: GET /api/v1/workers, with what health says of all of them and the blacklist",
        };
        var command = new Command("status", "Show the workers, what they carry and what is wrong, on one screen.") { json };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            using var health = await session.GetAsync("/api/v1/health", cancellationToken);
            using var workers = await session.GetAsync("/api/v1/workers", cancellationToken);
            using var blacklist = await session.TryGetAsync("/api/v1/blacklist", cancellationToken);
            if (parsed.GetValue(json))
            {
                await session.Output.WriteLineAsync(
                    Combine(session.Place, health.RootElement, workers.RootElement, blacklist?.RootElement));
                return ExitCodes.Done;
            }

            using var configuration = await session.TryGetAsync("/api/v1/config", cancellationToken);
            await HeadAsync(session, health.RootElement, configuration?.RootElement ?? default);
            await WorkersAsync(session, workers.RootElement);
            await NotesAsync(session, workers.RootElement, blacklist?.RootElement ?? default);
            return ExitCodes.Done;
        });
    }

    private static async Task HeadAsync(DaemonSession session, JsonElement health, JsonElement configuration)
    {
        long available = health.Whole("available_workers") ?? 0, total = health.Whole("total_workers") ?? 0;
        string carry = string.Create(
            CultureInfo.InvariantCulture, $"{available} of {Units.Count(total, "worker")} may carry connections");
        var tone = available == 0 ? Tone.Bad : available < total ? Tone.Warning : Tone.Good;
        if (health.Text("stage") is { } stage && stage != ServingStage.Serving.Word() && health.Text("summary") is { } summary)
            (carry, tone) = (Printable.Of(summary), Tone.Warning);
        await session.Output.WriteLineAsync($"TorBalancer at {session.Place}: {session.Style.Paint(carry, tone)}");
        if (configuration.Text("source") is { } source)
        {
            string? mode = ValueOf(configuration, "Balancing", "Mode"), isolation = ValueOf(configuration, "Balancing", "Isolation");
            string listeners = string.Join(", ", configuration.Items("sections")
                .Where(static one => one.Text("section")?.StartsWith("Listener:", StringComparison.Ordinal) == true)
                .Select(static one => $"{one.Text("section")!["Listener:".Length..]} {ValueOf(one, "Address")}"));
            string where = listeners.Length > 0 ? $", listening: {listeners}" : "";
            await session.Output.WriteLineAsync(
                Printable.Of($"mode {mode}, isolation {isolation}{where}, configuration: {source}"));
        }

        if (health.Member("discovery") is { } discovery && discovery.Text("problem") is { } problem)
        {
            await session.Output.WriteLineAsync(
                session.Style.Paint(
                    Printable.Of($"discovery: {problem}; the {discovery.Whole("workers")} workers that are known stay"), Tone.Warning));
        }

        if (health.Member("taken_over") is { } taken)
        {
            await session.Output.WriteLineAsync(
                Printable.Of($"took over from process {taken.Whole("process")} (release {taken.Text("release")}) at {taken.Text("at")}"));
        }

        await session.Output.WriteLineAsync();
    }

    private static async Task WorkersAsync(DaemonSession session, JsonElement workers)
    {
        var table = new TextTable(
            "WORKER", "STATE", ">CONN", ">TOTAL", ">OK", ">CONNECT", ">SENT", ">RECEIVED", "TOR", ">CIRCUITS");
        foreach (var worker in workers.Items("workers"))
        {
            var health = worker.Member("health") ?? default;
            table.Add(
                worker.Text("id"), WorkerTable.State(health), health.Whole("connections") ?? 0, worker.Whole("total_connections") ?? 0,
                WorkerTable.Success(worker), WorkerTable.Connect(worker), Units.Bytes(worker.Whole("bytes_sent") ?? 0),
                Units.Bytes(worker.Whole("bytes_received") ?? 0), WorkerTable.Tor(worker), WorkerTable.Circuits(worker));
        }

        await session.WriteAsync(table);
    }

    private static async Task NotesAsync(DaemonSession session, JsonElement workers, JsonElement blacklist)
    {
        var notes = workers.Items("workers").SelectMany(WorkerTable.Notes).ToList();
        if (workers.Items("workers").Any(static worker => worker.Member("tor")?.Items("faults").Any() == true))
            notes.Add(("* this tor has known faults: torbalancer doctor says what they mean", Tone.Dim));
        foreach (var relay in blacklist.Items("relays"))
        {
            notes.Add((
                $"{relay.Text("worker")}: avoids exit {relay.Text("nickname")} for {Units.Time(relay.Whole("expires_ms") ?? 0)}: "
                    + relay.Text("why"), Tone.Dim));
        }

        if (notes.Count > 0)
            await session.Output.WriteLineAsync();
        foreach (var (text, tone) in notes)
            await session.Output.WriteLineAsync(session.Style.Paint(Printable.Of(text), tone));
    }

    /// <summary>The members of GET /api/v1/workers, and more beside them.</summary>
    internal static string Combine(string place, JsonElement health, JsonElement workers, JsonElement? blacklist)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteString("admin", place);
            foreach (var member in health.EnumerateObject().Where(static one => one.Name != "workers"))
                member.WriteTo(writer);
            foreach (var member in workers.EnumerateObject())
                member.WriteTo(writer);
            if (blacklist?.Member("relays") is { } relays)
            {
                writer.WritePropertyName("blacklist");
                relays.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static string? ValueOf(JsonElement configuration, string section, string key) =>
        configuration.Items("sections").FirstOrDefault(one => one.Text("section") == section) is { ValueKind: JsonValueKind.Object } found
            ? ValueOf(found, key)
            : null;

    private static string? ValueOf(JsonElement section, string key) =>
        section.Items("values").FirstOrDefault(one => one.Text("key") == key) is { ValueKind: JsonValueKind.Object } found
            ? found.Text("value")
            : null;
}
