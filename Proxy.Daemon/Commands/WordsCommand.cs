using System.CommandLine;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Commands.Live;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// <c>torbalancer words KIND</c>: a word a line, for the shells' completions. Not for people: it says nothing when nobody answers.
/// </summary>
internal static class WordsCommand
{
    private static readonly (string Name, string Kind, string Path, string List, string Member)[] Kinds =
    [
        (LiveArguments.Worker, "workers", "/api/v1/workers", "workers", "id"),
        (LiveArguments.Connection, "connections", "/api/v1/connections", "connections", "id"),
        (LiveArguments.Session, "sessions", "/api/v1/sessions", "sessions", "id"),
        (LiveArguments.Relay, "relays", "/api/v1/blacklist", "relays", "fingerprint"),
    ];

    /// <summary>The kind that a value of this name is completed with; null: a daemon knows nothing of it.</summary>
    public static string? KindOf(string name) => Array.Find(Kinds, one => one.Name == name).Kind;

    public static Command Create()
    {
        var kind = new Argument<string>("kind") { HelpName = "KIND" };
        kind.AcceptOnlyFromAmong([.. Kinds.Select(static one => one.Kind)]);
        var command = new Command("words") { kind };
        command.Hidden = true;
        return DaemonArguments.AddTo(command, async (parsed, session, cancellationToken) =>
        {
            var (_, _, path, list, member) = Array.Find(Kinds, one => one.Kind == parsed.GetValue(kind));
            using var answer = await session.GetAsync(path, cancellationToken);
            foreach (string? word in answer.RootElement.Items(list).Select(item => item.Text(member)).Distinct())
            {
                // A shell may expand what it is given, and anybody may be who answers: only what an id is made of.
                if (word is { Length: > 0 } && word.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
                    await session.Output.WriteLineAsync(word);
            }

            return ExitCodes.Done;
        });
    }
}
