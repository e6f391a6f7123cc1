using System.CommandLine;
using System.Globalization;
using System.Reflection;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Schema;
using TorBalancer.Daemon.Manual;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer manual [1|5]</c>: prints a manual page, made from the same tables that the program reads.</summary>
internal static class ManualCommand
{
    private const string ConfigurationSection = "5";

    /// <param name="program">The whole table of commands, when it is asked for.</param>
    public static Command Create(Func<RootCommand> program)
    {
        var section = new Argument<string>("section")
        {
            Description = "1: this program; 5: its configuration file",
            HelpName = "SECTION",
            DefaultValueFactory = static _ => "1",
        };
        section.AcceptOnlyFromAmong("1", ConfigurationSection);
        var command = new Command(
            "manual", "Print the manual page of this program (1) or its configuration (5), as in: torbalancer manual 5 | man -l -");
        command.Arguments.Add(section);
        command.SetAction(parsed =>
        {
            var (version, date) = (Version(), Date(Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH")));
            var page = parsed.GetValue(section) == ConfigurationSection
                ? ConfigurationPage.Write(new ConfigurationSchema(SelectionPolicyNames.All), version, date)
                : CommandPage.Write(CommandOutline.Of(program()), version, date);
            parsed.InvocationConfiguration.Output.Write(page.ToString());
            return 0;
        });
        return command;
    }

    private static string Version() =>
        typeof(ManualCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    /// <summary>
    /// Two builds of one version have the same pages: the date is that of the sources, or none
    /// (https://reproducible-builds.org/specs/source-date-epoch/).
    /// </summary>
    private static string Date(string? sourceDate) =>
        long.TryParse(sourceDate, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds < 253_402_300_800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : "";
}
