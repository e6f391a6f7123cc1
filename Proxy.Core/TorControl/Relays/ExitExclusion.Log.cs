using Microsoft.Extensions.Logging;

namespace TorBalancer.TorControl.Relays;

internal sealed partial class ExitExclusion
{
    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.RelayListed, LogLevel.Warning,
            "Worker {Worker}: exit {Relay} is avoided for {Seconds} s: {Failures} failures on {Circuits} circuits to {Destinations} "
                + "destinations, and no success")]
        public static partial void RelayListed(
            ILogger logger, string worker, string relay, int failures, int circuits, int destinations, double seconds);

        [LoggerMessage(RelayEventIds.RelayRefused, LogLevel.Debug, "Worker {Worker}: exit {Relay} fails and is not avoided: {Reason}")]
        public static partial void RelayRefused(ILogger logger, string worker, string relay, string reason);

        [LoggerMessage(RelayEventIds.RelayRemoved, LogLevel.Information, "Worker {Worker}: exit {Relay} is no longer avoided: {Reason}")]
        public static partial void RelayRemoved(ILogger logger, string worker, string relay, string reason);

        [LoggerMessage(RelayEventIds.ListEmptied, LogLevel.Warning, "Worker {Worker}: tor finds no path; no exit is avoided any longer")]
        public static partial void ListEmptied(ILogger logger, string worker);

        [LoggerMessage(RelayEventIds.ExclusionApplied, LogLevel.Debug, "Worker {Worker}: ExcludeExitNodes holds {Count} exits of ours")]
        public static partial void ExclusionApplied(ILogger logger, string worker, int count);

        [LoggerMessage(
            RelayEventIds.ExclusionFailed, LogLevel.Warning, "Worker {Worker}: ExcludeExitNodes could not be changed: {Problem}")]
        public static partial void ExclusionFailed(ILogger logger, string worker, string problem);

        [LoggerMessage(RelayEventIds.ExclusionRestored, LogLevel.Debug, "Worker {Worker}: ExcludeExitNodes is as it was before")]
        public static partial void ExclusionRestored(ILogger logger, string worker);

        [LoggerMessage(
            RelayEventIds.ExclusionRecovered, LogLevel.Information,
            "Worker {Worker}: a daemon that was killed had left exits in its ExcludeExitNodes; the value from before is back")]
        public static partial void ExclusionRecovered(ILogger logger, string worker);
    }
}
