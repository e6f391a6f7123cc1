using System.CommandLine;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Daemon.Tor;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer check</c>: says whether the daemon would start with this configuration.</summary>
internal static class CheckCommand
{
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
            return result.HasUsageErrors ? ExitCodes.Usage : ExitCodes.Failed;
        var missing = LinesOfTransports(result);
        foreach (string line in missing)
            error.WriteLine(line);
        if (missing.Count > 0)
            return ExitCodes.Failed;

        foreach (var (country, count) in FewExits(result.Options))
        {
            error.WriteLine(
                $"{result.Given.OriginOf("ManagedWorkers", "Countries")}: warning: [ManagedWorkers] Countries has {country}, in which the "
                    + $"network had {Units.Count(count, "exit")} when a worker last ran: few are soon blocked, carry little, and tell "
                    + "their users apart");
        }

        output.WriteLine($"{result.Source}: ok ({Summary(result.Options)})");
        return ExitCodes.Done;
    }

    /// <summary><see cref="ProblemsOfTransports"/> with the places that ask for them, as they are printed.</summary>
    internal static IReadOnlyList<string> LinesOfTransports(ConfigurationResult result) =>
    [
        .. ProblemsOfTransports(result.Options)
            .Select(one => $"{result.Given.OriginOf("ManagedWorkers", one.Key)}: [ManagedWorkers] {one.Message}"),
    ];

    /// <summary>What the start would look for in PATH and not find.</summary>
    internal static IReadOnlyList<TransportProblem> ProblemsOfTransports(TorBalancerOptions options)
    {
        var managed = options.ManagedWorkers;
        if (!options.UsesManagedWorkers || managed.Count == 0)
            return [];

        // That the file can be read and understood was checked before.
        var (bridges, _) = ManagedBridges.Of(managed, DiskFiles.Instance);
        return PluggableTransports.TorrcLines(managed, bridges, Executables.Find).Problems;
    }

    private static IReadOnlyList<CountryShare> FewExits(TorBalancerOptions options) =>
        options.UsesManagedWorkers
            ? KeptCountryExits.Few(options.ManagedWorkers, DiskFiles.Instance, Environment.GetEnvironmentVariable)
            : [];

    private static string Summary(TorBalancerOptions options)
    {
        string workers = options.Discovery.IsOn ? $"{Units.Count(options.Workers.Count, "worker")} and those of {options.Discovery.Name}"
            : options.Workers.Count > 0 ? Units.Count(options.Workers.Count, "worker")
            : Units.Count(options.ManagedWorkers.Count, "managed worker");
        string services = options.OnionServices.Count == 0
            ? ""
            : $", {Units.Count(options.OnionServices.Count, "onion service")} over {Units.Count(options.Instances.Count, "instance")}";
        return $"{Units.Count(options.Listeners.Count, "listener")}, {workers}, mode {options.Balancing.Mode}{services}";
    }
}
