using System.Globalization;
using Microsoft.Extensions.Logging;
using TorBalancer.Health.Commands;

namespace TorBalancer.Health.Alerts;

/// <summary>Runs a command with the event in its environment; nothing of the event becomes part of the command line.</summary>
internal sealed partial class CommandAlertSink(string command, CommandRunner runner, ILogger logger) : IAlertSink
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public async Task SendAsync(HealthEvent happened, CancellationToken cancellationToken)
    {
        KeyValuePair<string, string>[] environment =
        [
            new("TORBALANCER_EVENT_KIND", HealthEvent.Word(happened.Kind)),
            new("TORBALANCER_EVENT_TIME", happened.Time.ToString("O", CultureInfo.InvariantCulture)),
            new("TORBALANCER_EVENT_WORKER", happened.Worker),
            new("TORBALANCER_EVENT_FROM", happened.From),
            new("TORBALANCER_EVENT_TO", happened.To),
            new("TORBALANCER_EVENT_REASON", happened.Reason),
            new("TORBALANCER_EVENT_SUPPRESSED", happened.Suppressed.ToString(CultureInfo.InvariantCulture)),
        ];
        var result = await runner.RunAsync(command, environment, Limit, cancellationToken);
        if (result.ExitCode != 0)
            Log.CommandFailed(logger, result.ExitCode, result.Output);
    }

    private static partial class Log
    {
        [LoggerMessage(AlertEventIds.CommandFailed, LogLevel.Warning, "[Alerts] Command failed (exit code {ExitCode}): {Output}")]
        public static partial void CommandFailed(ILogger logger, int? exitCode, string output);
    }
}
