using System.CommandLine;
using System.CommandLine.Invocation;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon;

/// <summary>The one executable.</summary>
internal static class Program
{
    private const int ExitUsage = 2;

    private const int ExitFailed = 1;

    public static async Task<int> Main(string[] args)
    {
        try
        {
            if (args is [RunCommand.Name, ..])
                PoolThreads.Start();
            return await RunAsync(args, Console.Out, Console.Error);
        }
        catch (StartupException failure)
        {
            await StandardError.TellAsync(Console.Error, [$"torbalancer: {failure.Message}"]);
            return ExitFailed;
        }
    }

    internal static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        // The hosts of `run` and `publish` handle SIGTERM and Ctrl-C themselves, because draining takes as long as it takes. The other
        // commands are told by this library and have a moment to clean up.
        var parsed = CreateRootCommand().Parse(args);
        bool isRun = parsed.CommandResult.Command.Name is RunCommand.Name or PublishCommand.Name;
        int code = await parsed.InvokeAsync(new InvocationConfiguration
        {
            ProcessTerminationTimeout = isRun ? null : TimeSpan.FromSeconds(30),
            Output = output,
            Error = error,
        });

        // The library says 1 for a command line that it does not understand, which is ours for "the configuration is wrong".
        return parsed.Action is ParseErrorAction ? ExitUsage : code;
    }

    internal static RootCommand CreateRootCommand() => new("One local proxy port in front of several Tor workers.")
    {
        RunCommand.Create(),
        PublishCommand.Create(),
        CheckCommand.Create(),
        EnvCommand.Create(),
        InitCommand.Create(),
        TestnetCommand.Create(),
        HealthCheckCommand.Create(),
        OnionCommand.Create(),
        CompletionCommand.Create(CreateRootCommand),
        ManualCommand.Create(CreateRootCommand),
    };
}
