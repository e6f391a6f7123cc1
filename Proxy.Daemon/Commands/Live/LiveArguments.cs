using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using TorBalancer.Daemon.Client;

namespace TorBalancer.Daemon.Commands.Live;

/// <summary>What the commands to a live daemon have in common.</summary>
internal static class LiveArguments
{
    /// <summary>The word in a help text whose values a daemon knows: shells complete it by asking.</summary>
    public const string Worker = "WORKER", Connection = "CONNECTION", Session = "SESSION", Relay = "RELAY";

    public static Option<bool> Json() => new("--json") { Description = "Print the daemon's answer as it is, in JSON" };

    /// <summary>One or several words.</summary>
    public static Argument<string[]> Several(string name, string description) => Checked(
        new Argument<string[]>(name.ToLowerInvariant())
        {
            Description = description,
            HelpName = name,
            Arity = ArgumentArity.OneOrMore,
        });

    public static Argument<string> One(string name, string description) =>
        Checked(new Argument<string>(name.ToLowerInvariant()) { Description = description, HelpName = name });

    public static Argument<string?> Optional(string name, string description) => Checked(
        new Argument<string?>(name.ToLowerInvariant()) { Description = description, HelpName = name, Arity = ArgumentArity.ZeroOrOne });

    /// <summary>A word of the user's as a part of a path.</summary>
    public static string Segment(string text) => Uri.EscapeDataString(text);

    public static async Task<int> PrintJsonAsync(DaemonSession session, JsonElement answer)
    {
        await session.Output.WriteLineAsync(answer.GetRawText());
        return ExitCodes.Done;
    }

    /// <summary>
    /// Each of several, and the worst exit code, a failure before something that is not known: one that fails does not keep the others from
    /// being done.
    /// </summary>
    /// <param name="act">Returns what to say.</param>
    public static async Task<int> EachAsync(
        DaemonSession session, string command, IEnumerable<string> words, Func<string, Task<string>> act)
    {
        int code = ExitCodes.Done;
        foreach (string word in words)
        {
            try
            {
                await session.Output.WriteLineAsync(await act(word));
            }
            catch (DaemonException failure) when (failure.Code is ExitCodes.Unknown or ExitCodes.Failed)
            {
                await session.Error.WriteLineAsync($"torbalancer {command}: {failure.Message}");
                code = code == ExitCodes.Failed ? code : failure.Code;
            }
        }

        return code;
    }

    /// <summary>A misspelt option would otherwise be taken for the word.</summary>
    private static Argument<T> Checked<T>(Argument<T> argument)
    {
        argument.Validators.Add(static result =>
        {
            if (result.Tokens.FirstOrDefault(static token => token.Value.StartsWith('-')) is Token { } token)
                result.AddError($"{token.Value} is no option of this command");
        });
        return argument;
    }
}
