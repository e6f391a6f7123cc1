using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Commands;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Client;

/// <summary>
/// What every command takes that talks to a daemon: --admin and --token-file, and the configuration, which says where the daemon is
/// when they do not.
/// </summary>
internal sealed class DaemonArguments
{
    private readonly ConfigurationArguments _configuration;

    private readonly Option<string?> _admin = AdminOption();

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = $"A file with the admin API's token. Without it: ${ConfigurationOverrides.TokenVariable}.",
        HelpName = "FILE",
    };

    private DaemonArguments(Command command)
    {
        command.Options.Add(_admin);
        command.Options.Add(_tokenFile);
        _configuration = ConfigurationArguments.AddTo(command);

        // The keys that matter here have options of their own, and a word too many is a mistake.
        command.TreatUnmatchedTokensAsErrors = true;
    }

    /// <summary>Wins over the configuration's, for those who may not read that; null: not set.</summary>
    public static string? TokenOfEnvironment =>
        Environment.GetEnvironmentVariable(ConfigurationOverrides.TokenVariable) is { Length: > 0 } token ? token.Trim() : null;

    /// <summary>What the configuration says the daemon asks for; null: nothing.</summary>
    public static string? TokenOf(AdminOptions? admin) => admin is { Token.Length: > 0 } ? admin.Token : null;

    /// <summary>Says where the daemon is.</summary>
    public static Option<string?> AdminOption() => new("--admin")
    {
        Description = "Where the daemon's admin API is, unix:/path or host:port. Without it: where the configuration says.",
        HelpName = "ADDRESS",
    };

    /// <summary>Adds the options to a command, behind its own.</summary>
    public static DaemonArguments AddTo(Command command) => new(command);

    /// <summary>Adds the options and what is to be done; the errors of every such command are told here.</summary>
    /// <param name="run">Returns the exit code.</param>
    public static Command AddTo(Command command, Func<ParseResult, DaemonSession, CancellationToken, Task<int>> run)
    {
        var arguments = new DaemonArguments(command);
        command.SetAction((parsed, cancellationToken) => arguments.RunAsync(parsed, run, cancellationToken));
        return command;
    }

    /// <summary>The daemon that is meant. Throws <see cref="DaemonException"/> for what stands on the command line.</summary>
    public DaemonSession Open(ParseResult parsed)
    {
        bool isAsked = parsed.GetValue(_admin) is null || _configuration.IsNamed(parsed);
        var configuration = isAsked ? _configuration.Load(parsed, ConfigurationParts.Proxy) : null;
        var places = parsed.GetValue(_admin) is { } named ? [Named(named)]
            : HealthCheckCommand.Places(configuration!.Options.Admin, Environment.GetEnvironmentVariable, ProcessSignals.UserId);
        return new DaemonSession(places, Token(parsed) ?? TokenOf(configuration?.Options.Admin), parsed.InvocationConfiguration)
        {
            Configuration = configuration,

            // A daemon that runs has read another one: while a file is being edited, it is to be asked all the same.
            Note = configuration is null or { IsValid: true }
                ? null
                : $"{configuration.Source} has {Terminal.Units.Count(configuration.Errors.Count, "mistake")}, which torbalancer check "
                    + "shows; the address may be one of them",
        };
    }

    /// <summary>The value of --admin. Throws <see cref="DaemonException"/> when it is no address.</summary>
    public static EndPoint Named(string text)
    {
        var context = new ValueContext(Directory.GetCurrentDirectory(), Environment.GetEnvironmentVariable("HOME"));
        return Values.ListenAddress.Parse(text, context, out var place) is { } problem
            ? throw new DaemonException(ExitCodes.Usage, $"--admin {text} {problem.What}; allowed is {Values.ListenAddress.Allowed}")
            : place;
    }

    private async Task<int> RunAsync(
        ParseResult parsed, Func<ParseResult, DaemonSession, CancellationToken, Task<int>> run, CancellationToken cancellationToken)
    {
        try
        {
            using var session = Open(parsed);
            return await run(parsed, session, cancellationToken);
        }
        catch (DaemonException failure)
        {
            await parsed.InvocationConfiguration.Error.WriteLineAsync($"torbalancer {NameOf(parsed)}: {failure.Message}");
            return failure.Code;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
        catch (IOException failure)
        {
            await parsed.InvocationConfiguration.Error.WriteLineAsync(
                $"torbalancer {NameOf(parsed)}: the connection to the daemon broke off: {failure.Message}");
            return ExitCodes.NoDaemon;
        }
    }

    /// <summary>The words that call it, as in "worker add".</summary>
    private static string NameOf(ParseResult parsed)
    {
        string name = parsed.CommandResult.Command.Name;
        return parsed.CommandResult.Parent is CommandResult { Command: not RootCommand and var parent } ? $"{parent.Name} {name}" : name;
    }

    private string? Token(ParseResult parsed)
    {
        if (parsed.GetValue(_tokenFile) is not { } path)
            return TokenOfEnvironment;
        try
        {
            // As [Admin] TokenFile is read: what stands on further lines is for people.
            string text = (File.ReadLines(path).FirstOrDefault() ?? "").Trim();
            return text.Length > 0 && text.All(static c => c is > ' ' and < '\x7f')
                ? text
                : throw new DaemonException(
                    ExitCodes.Failed, $"--token-file {path} holds no token: a first line of printable ASCII without blanks is one");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new DaemonException(ExitCodes.Failed, $"--token-file {path} cannot be read: {failure.Message}", failure);
        }
    }
}
