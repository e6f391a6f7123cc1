using Microsoft.Extensions.Logging;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon.Keys;

/// <summary>What is to be said of the isolation key once there is a log.</summary>
/// <param name="notKept">Why it is this process's alone; null: there is nothing to say.</param>
internal sealed partial class IsolationKeyNotice(string? notKept, ILogger<IsolationKeyNotice> logger)
{
    public void Tell()
    {
        if (notKept is not null)
            Log.NotKept(logger, notKept);
    }

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.KeyNotKept, LogLevel.Warning,
            "The isolation key cannot be kept, so that with the next start every session changes its circuit: {Problem}")]
        public static partial void NotKept(ILogger logger, string problem);
    }
}
