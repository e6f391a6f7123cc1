using System.CommandLine;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Testnet.Cli;

namespace TorBalancer.Daemon;

/// <summary>The one executable.</summary>
internal static class Program
{
    // The host handles SIGTERM and Ctrl-C itself: it drains, which takes longer than this library's default allows.
    public static Task<int> Main(string[] args) =>
        CreateRootCommand().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });

    internal static RootCommand CreateRootCommand() => new("One local proxy port in front of several Tor workers.")
    {
        RunCommand.Create(),
        CheckCommand.Create(),
        EnvCommand.Create(),
        TestnetCommand.Create(),
    };
}
