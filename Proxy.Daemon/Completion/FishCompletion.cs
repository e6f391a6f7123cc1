using System.Globalization;
using System.Text;
using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Completion;

/// <summary>Completions for fish: one line for each word that it may offer.</summary>
internal static class FishCompletion
{
    public static string Write(CommandOutline program)
    {
        var script = new StringBuilder("""
            # Completion of torbalancer for fish. Made by: torbalancer completion fish
            complete -c torbalancer -f

            """);
        foreach (var command in program.All)
        {
            string when = Condition(program, command);
            foreach (var child in command.Children)
                Line(script, $"complete -c torbalancer -n {Quote(when)} -a {child.Name} -d {Quote(child.Description)}");
            foreach (var argument in command.Arguments)
            {
                if (argument.IsFile)
                    Line(script, $"complete -c torbalancer -n {Quote(when)} -F");
                string offered = argument.Live is { } live ? Asked(live) : string.Join(' ', argument.Words);
                if (offered.Length > 0)
                    Line(script, $"complete -c torbalancer -n {Quote(when)} -a {Quote(offered)}");
            }

            foreach (var option in command.Options)
            {
                string brief = option.Short is null ? "" : $" -s {option.Short[1..]}";
                string takes = Value(option.Value), text = Quote(option.Description);
                Line(script, $"complete -c torbalancer -n {Quote(when)} -l {option.Name[2..]}{brief}{takes} -d {text}");
            }
        }

        return script.ToString();
    }

    /// <summary>True where this command is the last that stands on the line.</summary>
    private static string Condition(CommandOutline program, CommandOutline command)
    {
        var parts = command.Path.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(static word => $"__fish_seen_subcommand_from {word}");
        if (command.Children.Count > 0)
        {
            string further = string.Join(' ', command.Children.Select(static child => child.Name));
            parts = parts.Append($"not __fish_seen_subcommand_from {further}");
        }

        // `onion drain` is not `drain`: a command of one word is not meant behind another that has one of that name.
        string[] parents =
        [
            .. program.All.Where(one => !command.Path.Contains(' ') && one.Path.EndsWith(' ' + command.Name, StringComparison.Ordinal))
                .Select(static one => one.Path.Split(' ')[0]).Distinct(),
        ];
        if (parents.Length > 0)
            parts = parts.Append($"not __fish_seen_subcommand_from {string.Join(' ', parents)}");
        return string.Join("; and ", parts);
    }

    private static string Asked(string kind) => $"(torbalancer words {kind} 2>/dev/null)";

    private static string Value(ValueOutline? value) => value switch
    {
        null => "",
        { Live: { } live } => $" -x -a {Quote(Asked(live))}",
        { IsFile: true } => " -r -F",
        { IsDirectory: true } => " -x -a '(__fish_complete_directories)'",
        { Words.Count: > 0 } => $" -x -a {Quote(string.Join(' ', value.Words))}",
        _ => " -x",
    };

    private static string Quote(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";

    private static void Line(StringBuilder script, string line) => script.Append(CultureInfo.InvariantCulture, $"{line}\n");
}
