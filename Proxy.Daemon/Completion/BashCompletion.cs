using System.Globalization;
using System.Text;
using TorBalancer.Daemon.Commands;

namespace TorBalancer.Daemon.Completion;

/// <summary>
/// A completion function for bash. It needs nothing but bash itself, and runs the program only for words that a daemon knows.
/// </summary>
internal static class BashCompletion
{
    public static string Write(CommandOutline program)
    {
        var script = new StringBuilder("""
            # Completion of torbalancer for bash. Made by: torbalancer completion bash

            _torbalancer() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= words= kind= files= i
                # --option=value is three words here.
                if [[ $current == = ]]; then
                    current=
                elif [[ $previous == = ]]; then
                    previous=${COMP_WORDS[COMP_CWORD - 2]}
                fi
                for ((i = 1; i < COMP_CWORD; i++)); do
                    case "$command ${COMP_WORDS[i]}" in

            """);
        foreach (var command in program.All.Where(static command => command.Path.Length > 0))
        {
            int cut = command.Path.LastIndexOf(' ');
            string parent = cut < 0 ? "" : command.Path[..cut];
            Line(script, $"            \"{parent} {command.Name}\") command=\"{command.Path}\" ;;");
        }

        script.Append("""
                    esac
                done
                case "$command $previous" in

            """);
        foreach (var command in program.All)
        {
            foreach (var option in command.Options)
            {
                if (option.Value is not { } value)
                    continue;
                string patterns = string.Join(" | ", option.Spellings.Select(spelling => $"\"{command.Path} {spelling}\""));
                Line(script, $"        {patterns}) {Value(value)} ;;");
            }
        }

        script.Append("""
                    *) kind=words ;;
                esac
                if [[ $kind == words && -z $words ]]; then
                    case "$command" in

            """);
        foreach (var command in program.All)
        {
            var words = command.Children.Select(static child => child.Name)
                .Concat(command.Arguments.SelectMany(static argument => argument.Words))
                .Concat(command.Options.SelectMany(static option => option.Spellings));
            Line(script, $"            \"{command.Path}\") words=\"{string.Join(' ', words)}\"{Files(command)}{Live(command)} ;;");
        }

        script.Append("""
                    esac
                fi
                COMPREPLY=()
                case "$kind" in
                    words)
                        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
                        if [[ $files ]]; then
                            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -A file -- "$current")
                            compopt -o filenames 2>/dev/null
                        fi
                        ;;
                    file | directory)
                        mapfile -t COMPREPLY < <(compgen -A "$kind" -- "$current")
                        compopt -o filenames 2>/dev/null
                        ;;
                esac
            }

            complete -F _torbalancer torbalancer

            """);
        return script.ToString();
    }

    private static string Files(CommandOutline command) =>
        command.Arguments.Any(static argument => argument.IsFile) ? " files=yes" : "";

    /// <summary>Behind a word of its own a command asks for what the daemon knows: not when an option is being typed.</summary>
    private static string Live(CommandOutline command) =>
        command.Arguments.FirstOrDefault(static argument => argument.Live is not null) is { } argument
            ? $"; [[ $current == -* ]] || words+=\" $(\"${{COMP_WORDS[0]}}\" words {argument.Live} 2>/dev/null)\""
            : "";

    private static string Value(ValueOutline value) => value switch
    {
        { Live: { } live } => $"kind=words words=$(\"${{COMP_WORDS[0]}}\" words {live} 2>/dev/null)",
        { IsFile: true } => "kind=file",
        { IsDirectory: true } => "kind=directory",
        { Words.Count: > 0 } => $"kind=words words=\"{string.Join(' ', value.Words)}\"",
        _ => "kind=free",
    };

    private static void Line(StringBuilder script, string line) => script.Append(CultureInfo.InvariantCulture, $"{line}\n");
}
