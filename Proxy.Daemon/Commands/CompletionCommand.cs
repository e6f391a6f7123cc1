using System.CommandLine;
using TorBalancer.Daemon.Completion;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer completion bash|zsh|fish</c>: prints what a shell needs to complete our command line.</summary>
internal static class CompletionCommand
{
    /// <param name="program">The whole table of commands, when it is asked for.</param>
    public static Command Create(Func<RootCommand> program)
    {
        var shell = new Argument<string>("shell") { Description = "Whose completion", HelpName = "SHELL" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command(
            "completion", "Print the completion of this command line for a shell, as in: source <(torbalancer completion bash)") { shell };
        command.SetAction(parsed =>
        {
            var outline = CommandOutline.Of(program());
            parsed.InvocationConfiguration.Output.Write(parsed.GetValue(shell) switch
            {
                "zsh" => ZshCompletion.Write(outline),
                "fish" => FishCompletion.Write(outline),
                _ => BashCompletion.Write(outline),
            });
            return 0;
        });
        return command;
    }
}
