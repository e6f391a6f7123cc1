using Microsoft.Extensions.Logging;

namespace TorBalancer.Testnet;

internal sealed partial class TestNetwork
{
    private static partial class Log
    {
        [LoggerMessage(TestnetEventIds.Progress, LogLevel.Debug, "Test network, {Seconds:F1} s: {Step}")]
        public static partial void Progress(ILogger logger, double seconds, string step);

        [LoggerMessage(
            TestnetEventIds.Ready, LogLevel.Information, "Test network ready after {Seconds:F1} s: {Nodes} tor processes in {Directory}")]
        public static partial void Ready(ILogger logger, double seconds, int nodes, string directory);

        [LoggerMessage(TestnetEventIds.Stopped, LogLevel.Information, "Test network stopped: {Directory}")]
        public static partial void Stopped(ILogger logger, string directory);

        [LoggerMessage(
            TestnetEventIds.NodeEnded, LogLevel.Warning, "Test network: {Node} (pid {Pid}) ended unasked with code {Code}: {Said}")]
        public static partial void NodeEnded(ILogger logger, string node, int pid, int code, string said);

        [LoggerMessage(TestnetEventIds.NodeKilled, LogLevel.Information, "Test network: killing {Node} (pid {Pid})")]
        public static partial void Killed(ILogger logger, string node, int pid);

        [LoggerMessage(TestnetEventIds.NodeRestarted, LogLevel.Information, "Test network: {Node} runs again (pid {Pid})")]
        public static partial void Restarted(ILogger logger, string node, int pid);
    }
}
