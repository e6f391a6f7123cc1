using System.CommandLine;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Testnet.Cli;

namespace TorBalancer.Daemon;

/// <summary>The one executable.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args)
    {
        var root = new RootCommand("One local proxy port in front of several Tor workers.")
        {
            RunCommand.Create(),
            CheckCommand.Create(),
            EnvCommand.Create(),
            TestnetCommand.Create(),
        };

        // The host handles SIGTERM and Ctrl-C itself: it drains, which takes longer than this library's default allows.
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }
}
