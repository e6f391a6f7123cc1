using System.CommandLine;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Testnet.Cli;

namespace TorBalancer.Daemon;

/// <summary>The one executable.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args)
    {
        // The host of `run` handles SIGTERM and Ctrl-C itself, because draining takes as long as it takes. The other commands
        // are told by this library and have a moment to clean up.
        var parsed = CreateRootCommand().Parse(args);
        bool isRun = parsed.CommandResult.Command.Name == RunCommand.Name;
        return parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = isRun ? null : TimeSpan.FromSeconds(30) });
    }

    internal static RootCommand CreateRootCommand() => new("One local proxy port in front of several Tor workers.")
    {
        RunCommand.Create(),
        CheckCommand.Create(),
        EnvCommand.Create(),
        InitCommand.Create(),
        TestnetCommand.Create(),
    };
}
