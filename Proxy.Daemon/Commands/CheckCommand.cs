using System.CommandLine;
using System.Globalization;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Tor;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer check</c>: says whether the daemon would start with this configuration.</summary>
internal static class CheckCommand
{
    private const int ExitOk = 0;
    private const int ExitInvalid = 1;

    /// <summary>An argument that is neither an option nor an override, as opposed to a configuration that is wrong.</summary>
    private const int ExitUsage = 2;

    public static Command Create()
    {
        var command = new Command("check", "Check the configuration, and show everything that is wrong with it, without starting.");
        var arguments = ConfigurationArguments.AddTo(command);
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var error = parsed.InvocationConfiguration.Error;
            return Run(arguments.Load(parsed, ConfigurationParts.All), output, error);
        });
        return command;
    }

    public static int Run(ConfigurationResult result, TextWriter output, TextWriter error)
    {
        foreach (var issue in result.Errors)
            error.WriteLine(issue);
        foreach (var issue in result.Warnings)
            error.WriteLine($"{issue.Origin}: warning: {issue.Message}");
        if (!result.IsValid)
            return result.HasUsageErrors ? ExitUsage : ExitInvalid;
        if (ProblemOfTransports(result.Options) is { } problem)
        {
            error.WriteLine(problem);
            return ExitInvalid;
        }

        output.WriteLine($"{result.Source}: ok ({Summary(result.Options)})");
        return ExitOk;
    }

    /// <summary>What the start would look for in PATH; null: it is there, or not needed.</summary>
    internal static string? ProblemOfTransports(TorBalancerOptions options)
    {
        var managed = options.ManagedWorkers;
        if (options.Workers.Count > 0 || managed.Count == 0)
            return null;

        // That the file can be read and understood was checked before.
        var (bridges, _) = ManagedBridges.Of(managed, DiskFiles.Instance);
        return PluggableTransports.TorrcLines(bridges, managed.Transports, Executables.Find).Problem is { } problem
            ? $"[ManagedWorkers] Bridges: {problem}"
            : null;
    }

    private static string Summary(TorBalancerOptions options)
    {
        string workers = options.Workers.Count > 0
            ? Count(options.Workers.Count, "worker")
            : Count(options.ManagedWorkers.Count, "managed worker");
        string services = options.OnionServices.Count == 0
            ? ""
            : $", {Count(options.OnionServices.Count, "onion service")} over {Count(options.Instances.Count, "instance")}";
        return $"{Count(options.Listeners.Count, "listener")}, {workers}, mode {options.Balancing.Mode}{services}";
    }

    private static string Count(int number, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{number} {noun}{(number == 1 ? "" : "s")}");
}
