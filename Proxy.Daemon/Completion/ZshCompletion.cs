using System.Globalization;
using System.Text;
using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Completion;

/// <summary>A completion for zsh, to be called _torbalancer in a directory of fpath: one function for each command.</summary>
internal static class ZshCompletion
{
    public static string Write(CommandOutline program)
    {
        var script = new StringBuilder("""
            #compdef torbalancer
            # Completion of torbalancer for zsh. Made by: torbalancer completion zsh


            """);
        foreach (var command in program.All)
            WriteFunction(script, command);

        // As a file of fpath it is called the first time; sourced, it registers.
        script.Append("""
            if [[ ${funcstack[1]} == _torbalancer ]]; then
                _torbalancer "$@"
            else
                compdef _torbalancer torbalancer
            fi

            """);
        return script.ToString();
    }

    private static void WriteFunction(StringBuilder script, CommandOutline command)
    {
        Line(script, $"{Function(command)}() {{");
        if (command.Children.Count > 0)
            Line(script, "    local context state state_descr line\n    typeset -A opt_args");
        Line(script, $"    _arguments {(command.Children.Count > 0 ? "-C " : "")}\\");
        foreach (var option in command.Options)
            Line(script, $"        {Option(option)} \\");
        foreach (var argument in command.Arguments.Where(_ => command.Children.Count == 0))
        {
            string place = argument.IsRepeated ? "*:" : argument.IsOptional ? "::" : ":";
            Line(script, $"        {Quote($"{place}{argument.Name}:{Action(argument)}")} \\");
        }

        if (command.Children.Count == 0)
        {
            Line(script, "        && return\n}\n");
            return;
        }

        Line(script, "        '1: :->command' \\\n        '*:: :->arguments' \\\n        && return");
        Line(script, "    case $state in\n        command)\n            local -a commands=(");
        foreach (var child in command.Children)
            Line(script, $"                {Quote($"{child.Name}:{child.Description}")}");
        Line(script, "            )\n            _describe -t commands command commands\n            ;;");
        Line(script, "        arguments)\n            case $words[1] in");
        foreach (var child in command.Children)
            Line(script, $"                {child.Name}) {Function(child)} ;;");
        Line(script, "            esac\n            ;;\n    esac\n}\n");
    }

    private static string Function(CommandOutline command) =>
        command.Path.Length == 0 ? "_torbalancer" : "_torbalancer_" + command.Path.Replace(' ', '_');

    /// <summary>A specification of _arguments: spellings exclude each other.</summary>
    private static string Option(OptionOutline option)
    {
        string takes = option.Value is { } value ? $":{value.Name}:{Action(value)}" : "";
        string text = $"[{Escape(option.Description)}]{takes}", spelling = option.Name + (option.Value is null ? "" : "=");
        if (option.Short is null)
            return Quote(spelling + text);
        return $"{Quote($"({option.Short} {option.Name})")}{{{option.Short},{spelling}}}{Quote(text)}";
    }

    private static string Action(ValueOutline value) => value switch
    {
        { Live: { } live } => $"{{compadd -- ${{(f)\"$(torbalancer words {live} 2>/dev/null)\"}}}}",
        { IsFile: true } => "_files",
        { IsDirectory: true } => "_files -/",
        { Words.Count: > 0 } => $"({string.Join(' ', value.Words)})",
        _ => " ",
    };

    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal)
            .Replace("]", "\\]", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static void Line(StringBuilder script, string line) => script.Append(CultureInfo.InvariantCulture, $"{line}\n");
}
