using System.CommandLine;
using System.CommandLine.Invocation;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Commands.Live;
using TorBalancer.Daemon.Commands.Live.Top;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon;

/// <summary>The one executable.</summary>
internal static class Program
{
    private static readonly (string Name, Func<Command> Create)[] Commands =
    [
        (RunCommand.Name, RunCommand.Create),
        ("check", CheckCommand.Create),
        ("status", StatusCommand.Create),
        ("top", TopCommand.Create),
        ("explain", ExplainCommand.Create),
        ("connections", ConnectionCommands.CreateConnections),
        ("close", ConnectionCommands.CreateClose),
        ("drain", WorkerCommands.CreateDrain),
        ("enable", WorkerCommands.CreateEnable),
        ("sessions", SessionCommands.CreateSessions),
        ("rotate", SessionCommands.CreateRotate),
        ("worker", WorkerCommand.Create),
        ("blacklist", BlacklistCommand.Create),
        ("events", EventsCommand.Create),
        ("reload", ReloadCommand.Create),
        ("doctor", DoctorCommand.Create),
        ("healthcheck", HealthCheckCommand.Create),
        ("env", EnvCommand.Create),
        ("user", UserCommand.Create),
        ("init", InitCommand.Create),
        ("testnet", TestnetCommand.Create),
        (PublishCommand.Name, PublishCommand.Create),
        ("onion", OnionCommand.Create),
        ("words", WordsCommand.Create),
        ("completion", () => CompletionCommand.Create(CreateRootCommand)),
        ("manual", () => ManualCommand.Create(CreateRootCommand)),
    ];

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
            return ExitCodes.Failed;
        }
    }

    internal static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        // The hosts of `run` and `publish` handle SIGTERM and Ctrl-C themselves, because draining takes as long as it takes. The other
        // commands are told by this library and have a moment to clean up.
        var parsed = CreateRootCommand(args is [var called, ..] ? called : null).Parse(args);
        bool isRun = parsed.CommandResult.Command.Name is RunCommand.Name or PublishCommand.Name;
        int code = await parsed.InvokeAsync(new InvocationConfiguration
        {
            ProcessTerminationTimeout = isRun ? null : TimeSpan.FromSeconds(30),
            Output = output,
            Error = error,
        });

        // The library says 1 for a command line that it does not understand, which is ours for "the configuration is wrong".
        return parsed.Action is ParseErrorAction ? ExitCodes.Usage : code;
    }

    /// <summary>The whole table of commands.</summary>
    internal static RootCommand CreateRootCommand() => CreateRootCommand(null);

    /// <param name="called">
    /// The command that is called: the others are left out, each costs a part of a start. Null, or no command: all.
    /// </param>
    private static RootCommand CreateRootCommand(string? called)
    {
        var root = new RootCommand("One local proxy port in front of several Tor workers.");
        ProgramHelp.AddTo(root);
        bool isKnown = Array.Exists(Commands, one => one.Name == called);
        foreach (var (name, create) in Commands)
        {
            if (!isKnown || name == called)
                root.Subcommands.Add(create());
        }

        return root;
    }
}
