using Microsoft.Extensions.Logging;
using TorBalancer.Health.Alerts;

namespace TorBalancer.Health;

internal sealed partial class HealthMonitor
{
    private static partial class Log
    {
        [LoggerMessage(HealthEventIds.WorkerRecovered, LogLevel.Information, "Worker {Worker} is healthy again (was {From}; {Reason})")]
        public static partial void WorkerRecovered(ILogger logger, string worker, string from, string reason);

        [LoggerMessage(HealthEventIds.WorkerChanged, LogLevel.Warning, "Worker {Worker}: {From} -> {To} ({Reason})")]
        public static partial void WorkerChanged(ILogger logger, string worker, string from, string to, string reason);

        [LoggerMessage(HealthEventIds.ProbeFailed, LogLevel.Debug, "Worker {Worker}: its probe failed in step {Step}: {Detail}")]
        public static partial void ProbeFailed(ILogger logger, string worker, string step, string detail);

        [LoggerMessage(HealthEventIds.ProbeNotMade, LogLevel.Debug, "Worker {Worker}: its probe could not be made, which says nothing of it: {Detail}")]
        public static partial void ProbeNotMade(ILogger logger, string worker, string detail);

        [LoggerMessage(HealthEventIds.TunnelsEnded, LogLevel.Warning, "Worker {Worker} is gone: {Count} connections through it were ended")]
        public static partial void TunnelsEnded(ILogger logger, string worker, int count);

        [LoggerMessage(AlertEventIds.Alert, LogLevel.Error, "Worker {Worker}: {Text}")]
        public static partial void Alert(ILogger logger, string worker, string text);

        [LoggerMessage(HealthEventIds.DemotionFrozen, LogLevel.Warning, "Demotion is frozen: {Reason}")]
        public static partial void DemotionFrozen(ILogger logger, string reason);

        [LoggerMessage(HealthEventIds.DemotionThawed, LogLevel.Information, "Demotion goes on: {Reason}")]
        public static partial void DemotionThawed(ILogger logger, string reason);
    }
}
