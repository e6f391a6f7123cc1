using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorBalancer.Balancing;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary>
/// <c>torbalancer explain</c>: what the next connection to a target would meet with and why, or what became of a connection.
/// </summary>
internal static partial class ExplainCommand
{
    public static Command Create()
    {
        var subject = LiveArguments.One(
            "TARGET", "host:port: what the next connection to it would meet with; or a connection's id (c123): what became of it");
        var client = Text("--client", "ADDRESS", "The client's address (default 127.0.0.1)");
        var user = Text("--user", "USER", "Its user name, parameters included, such as session-abc");
        var listener = Text(
            "--listener", "NAME", "The listener that it comes by (default the first); NAME:PORT for one of its ports that are sessions");
        var mode = Text("--mode", "MODE", "As if this balancing mode held");
        mode.CompletionSources.Add([.. SelectionPolicyNames.All]);
        var json = LiveArguments.Json();
        var command = new Command(
            "explain", "Say which worker the next connection to a target would have and why, or what became of a connection.")
        {
            subject, client, user, listener, mode, json,
        };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string what = parsed.GetValue(subject)!;
            bool isConnection = ConnectionId().IsMatch(what);
            var path = new StringBuilder(
                isConnection ? $"/api/v1/connections/{what}" : $"/api/v1/explain?target={LiveArguments.Segment(what)}");
            foreach (var option in (Option<string?>[])[client, user, listener, mode])
            {
                if (parsed.GetValue(option) is not { } value)
                    continue;
                if (isConnection)
                    throw new DaemonException(ExitCodes.Usage, $"{option.Name} belongs to a target, and {what} is a connection");
                path.Append('&').Append(option.Name.AsSpan(2)).Append('=').Append(LiveArguments.Segment(value));
            }

            using var answer = await session.GetAsync(path.ToString(), cancellationToken);
            if (parsed.GetValue(json))
                return await LiveArguments.PrintJsonAsync(session, answer.RootElement);
            await (isConnection ? ConnectionAsync(session, answer.RootElement) : TargetAsync(session, answer.RootElement));
            return ExitCodes.Done;
        });
    }

    private static async Task TargetAsync(DaemonSession session, JsonElement plan)
    {
        string listener = plan.Text("port") is { } port ? $"{plan.Text("listener")}, port {port}" : $"{plan.Text("listener")}";
        await session.WriteAsync("target", $"{plan.Text("target")} from {plan.Text("client")} by listener {listener}");
        string? rule = plan.Text("rule");
        string? why = plan.Text("route_why") ?? (rule is null ? null : $"[Rule:{rule}]");
        await session.WriteAsync("route", $"{plan.Text("route")}{(why is null ? "" : $" ({why})")}");
        await session.WriteAsync("mode", $"{plan.Text("mode")}{(plan.Text("mode_from") is { } from ? $" (of the {from})" : "")}");
        string apart = string.Join(", ", plan.Texts("kept_apart_by"));
        await session.WriteAsync(
            "isolation", $"{plan.Text("isolation")}{(apart.Length == 0 ? ": everybody shares circuits" : $": kept apart by {apart}")}");
        await session.WriteAsync("session", plan.Text("session"));
        if (plan.Text("sticky_key") is { } key)
            await session.WriteAsync("sticky", $"by {plan.Text("sticky_by")}, key {key}");
        if (plan.Flag("fresh") == true)
            await session.WriteAsync("circuit", "a new identity: workers with a clean circuit ready are preferred");
        if (plan.Flag("last_resort") == true)
            await session.WriteAsync("panic", "no worker is available: all that are not drained are tried ([Balancing] Panic)");
        if (plan.Member("error") is { } error)
            await session.WriteAsync("refused", $"{error.Text("cause")}: {error.Text("message")}");
        else
            await session.WriteAsync("chosen", plan.Text("chosen") ?? "chance decides, by these odds");
        if (!plan.Items("candidates").Any())
            return;
        await session.Output.WriteLineAsync();
        var table = new TextTable("WORKER", ">ODDS", "WHY", "STATE", "ROUTE", ">WEIGHT", ">CONN", ">CONNECT", ">CLEAN");
        foreach (var one in plan.Items("candidates"))
        {
            bool isEligible = one.Flag("eligible") ?? false;
            string? chosen = plan.Text("chosen"), worker = one.Text("worker");
            table.Add(
                new Cell(worker ?? "-", worker == chosen ? Tone.Strong : Tone.Plain),
                new Cell(Share(one.Number("odds") ?? 0), isEligible ? Tone.Plain : Tone.Dim),
                new Cell(one.Text("why") ?? "-", isEligible ? Tone.Good : Tone.Warning), WorkerTable.State(one), one.Text("route"),
                one.Text("weight"), one.Text("connections"), Milliseconds(one.Number("connect_ms")), one.Text("clean_circuits"));
        }

        await session.WriteAsync(table);
    }

    private static async Task ConnectionAsync(DaemonSession session, JsonElement one)
    {
        string age = Units.Time(one.Whole("age_ms") ?? 0);
        string? ago = one.Whole("ended_ms_ago") is { } ended ? $", ended {Units.Time(ended)} ago" : null;
        await session.WriteAsync(
            "connection", $"{one.Text("id")} {one.Text("state")}, {one.Text("protocol")} by listener {one.Text("listener")}");
        await session.WriteAsync("target", one.Text("target") ?? "no request yet");
        await session.WriteAsync("time", $"{one.Text("started")}, {(ago is null ? $"{age} so far" : $"took {age}{ago}")}");
        await session.WriteAsync("worker", one.Text("worker") is { } worker ? $"{worker} by {one.Text("route")}" : null);
        if (one.Member("circuit") is { } circuit)
        {
            string conflux = circuit.Text("conflux") is { } set ? $" (conflux set {set})" : "";
            string path = string.Join(" -> ", circuit.Texts("path").Select(Brief));
            await session.WriteAsync("circuit", $"{circuit.Text("id")}{conflux}: {path}");
        }

        await session.WriteAsync("exit", one.Text("exit"));
        if (one.Whole("connect_ms") is { } connect)
        {
            bool isConnected = one.Items("attempts").Any(static attempt => attempt.Text("outcome") == "succeeded");
            await session.WriteAsync(isConnected ? "connected" : "given up", $"{(isConnected ? "in" : "after")} {Units.Time(connect)}");
        }

        await session.WriteAsync(
            "carried", $"{Units.Bytes(one.Whole("bytes_sent") ?? 0)} sent, {Units.Bytes(one.Whole("bytes_received") ?? 0)} received");
        if (one.Text("cause") is { } cause && cause is not ("none" or "ok"))
            await session.WriteAsync("cause", cause);
        await session.WriteAsync("end", one.Text("end"));
        var table = new TextTable(">TRY", "WORKER", ">AFTER", ">TOOK", "RESULT");
        foreach (var attempt in one.Items("attempts"))
        {
            string? wrong = attempt.Text("cause") is { } word ? $"{word}: {attempt.Text("message")}" : null;
            long? took = attempt.Whole("took_ms");
            table.Add(
                table.Count + 1, attempt.Text("worker"), Units.Time(attempt.Whole("began_ms") ?? 0),
                took is { } time ? Units.Time(time) : "-",
                wrong is not null ? new Cell(wrong, Tone.Bad)
                    : took is null ? attempt.Text("outcome")?.Replace('_', ' ') : new Cell("ok", Tone.Good));
        }

        if (table.Count == 0)
            return;
        await session.Output.WriteLineAsync();
        await session.WriteAsync(table);
    }

    /// <summary>$FINGERPRINT~name, of the fingerprint as much as tells relays apart: three whole ones are no line to read.</summary>
    private static string Brief(string relay)
    {
        const int digits = 8;
        int name = relay.IndexOf('~');
        return name > digits + 1 && relay[0] == '$' ? relay[..(digits + 1)] + relay[name..] : relay;
    }

    private static string? Milliseconds(double? time) =>
        time is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value:0} ms") : null;

    private static string Share(double odds) =>
        string.Create(CultureInfo.InvariantCulture, $"{odds * 100:0.##} %");

    private static Option<string?> Text(string name, string value, string description) =>
        new(name) { Description = description, HelpName = value };

    [GeneratedRegex(@"^c\d+(\.\d+)?$")]
    private static partial Regex ConnectionId();
}
