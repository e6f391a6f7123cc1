using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary><c>torbalancer worker add|remove|weight</c>: workers that come, go and change while the daemon runs.</summary>
internal static class WorkerCommand
{
    private const string Workers = "/api/v1/workers";

    public static Command Create() => new("worker", "Add, remove and weigh workers while the daemon runs.")
    {
        Add(), Remove(), Weight(),
    };

    private static Command Add()
    {
        var id = LiveArguments.One("NAME", "Its name, as in [Worker:NAME]");
        var keys = LiveArguments.Several("KEY=VALUE", "Its keys as in the configuration, such as Address=10.0.0.5 SocksPort=9050");
        var save = Save();
        var command = new Command("add", "Add a worker: it gets connections at once, and is probed like the others.") { id, keys, save };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string name = parsed.GetValue(id)!;
            string body = Body(writer =>
            {
                writer.WriteString("id", name);
                foreach (string pair in parsed.GetValue(keys)!)
                {
                    int equals = pair.IndexOf('=');
                    if (equals < 1)
                        throw new DaemonException(ExitCodes.Usage, $"{pair} is not KEY=VALUE, such as SocksPort=9050");
                    writer.WriteString(Member(pair[..equals]), pair[(equals + 1)..]);
                }

                writer.WriteBoolean("save", parsed.GetValue(save));
            });
            using var answer = await session.CommandAsync(HttpMethod.Post, Workers, cancellationToken, body);
            await session.Output.WriteLineAsync(
                Printable.Of($"{answer.RootElement.Text("id")} is added at {answer.RootElement.Text("address")}{Until(parsed, save)}"));
            return ExitCodes.Done;
        });
    }

    private static Command Remove()
    {
        var id = LiveArguments.One(LiveArguments.Worker, "Its id, as in status");
        var save = Save();
        var command = new Command("remove", "Drain a worker, and forget it when its last connection has ended.") { id, save };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string path = $"{Workers}/{LiveArguments.Segment(parsed.GetValue(id)!)}{(parsed.GetValue(save) ? "?save=true" : "")}";
            using var answer = await session.CommandAsync(HttpMethod.Delete, path, cancellationToken);
            long left = answer.RootElement.Member("health")?.Whole("connections") ?? 0;
            string what = left == 0
                ? "is removed"
                : $"takes no more connections, and goes when {Units.Count(left, "connection")} on it have ended";
            await session.Output.WriteLineAsync(Printable.Of($"{answer.RootElement.Text("id")} {what}{Until(parsed, save)}"));
            return ExitCodes.Done;
        });
    }

    private static Command Weight()
    {
        var id = LiveArguments.One(LiveArguments.Worker, "Its id, as in status");
        var weight = LiveArguments.One("WEIGHT", "1 to 100: its share beside the others'");
        var save = Save();
        var command = new Command("weight", "Give a worker another share of the connections.") { id, weight, save };
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            string text = parsed.GetValue(weight)!;
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < 1 or > 100)
                throw new DaemonException(ExitCodes.Usage, $"{text} is no weight; a whole number from 1 to 100 is");
            string body = Body(writer =>
            {
                writer.WriteNumber("weight", number);
                writer.WriteBoolean("save", parsed.GetValue(save));
            });
            string path = $"{Workers}/{LiveArguments.Segment(parsed.GetValue(id)!)}";
            using var answer = await session.CommandAsync(HttpMethod.Patch, path, cancellationToken, body);
            await session.Output.WriteLineAsync(
                Printable.Of($"{answer.RootElement.Text("id")} has weight {answer.RootElement.Text("weight")}{Until(parsed, save)}"));
            return ExitCodes.Done;
        });
    }

    private static Option<bool> Save() => new("--save")
    {
        Description = "For good: into workers.d beside the configuration; without it a reload undoes it",
    };

    private static string Until(ParseResult parsed, Option<bool> save) => parsed.GetValue(save) ? "; saved" : ", until the next reload";

    /// <summary>SocksPort is socks_port in the API.</summary>
    private static string Member(string key) => JsonNamingPolicy.SnakeCaseLower.ConvertName(key);

    private static string Body(Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }
}
