using Microsoft.Extensions.Logging;
using TorBalancer.Connecting;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon.Keys;

/// <summary>What is to be said of the isolation key once there is a log.</summary>
/// <param name="key">The key in force.</param>
/// <param name="isOfThisProcess">It stands in no file.</param>
/// <param name="notKept">Why it cannot be kept; null: there is nothing to say.</param>
internal sealed partial class IsolationKeyNotice(
    IsolationKey key, bool isOfThisProcess, string? notKept, ILogger<IsolationKeyNotice> logger)
{
    public IsolationKey Key => key;

    /// <summary>Who takes over has to be given it.</summary>
    public bool IsOfThisProcess => isOfThisProcess;

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
