using System.CommandLine;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer blacklist</c>: the exits that workers avoid.</summary>
internal static class BlacklistCommand
{
    public static Command Create()
    {
        var json = LiveArguments.Json();
        var command = new Command("blacklist", "List the exits that workers avoid after failures.") { json };
        command.Subcommands.Add(CreateClear());
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            using var answer = await session.GetAsync("/api/v1/blacklist", cancellationToken);
            if (parsed.GetValue(json))
                return await LiveArguments.PrintJsonAsync(session, answer.RootElement);
            var table = new TextTable("RELAY", "FINGERPRINT", "WORKER", ">LEFT", "IN FORCE", "WHY");
            foreach (var one in answer.RootElement.Items("relays"))
            {
                table.Add(
                    one.Text("nickname") ?? ConnectionCommands.NameOf(one.Text("relay")), one.Text("fingerprint"), one.Text("worker"),
                    Units.Time(one.Whole("expires_ms") ?? 0), one.Flag("in_force") == false ? "not yet" : "yes", one.Text("why"));
            }

            if (table.Count == 0)
                await session.Output.WriteLineAsync("no exit is avoided");
            else
                await session.WriteAsync(table);
            return ExitCodes.Done;
        });
    }

    private static Command CreateClear()
    {
        var relay = LiveArguments.Optional(LiveArguments.Relay, "Its fingerprint; without it all of them");
        var command = new Command("clear", "Use exits again before their time is over, at every worker.") { relay };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string? which = parsed.GetValue(relay);
            string query = which is null ? "" : $"?relay={LiveArguments.Segment(which)}";
            using var answer = await session.CommandAsync(HttpMethod.Delete, $"/api/v1/blacklist{query}", cancellationToken);
            await session.Output.WriteLineAsync($"{Units.Count(answer.RootElement.Whole("removed") ?? 0, "exit")} may be used again");
            return ExitCodes.Done;
        });
    }
}
