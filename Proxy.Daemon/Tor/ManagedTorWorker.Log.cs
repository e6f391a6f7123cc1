using Microsoft.Extensions.Logging;

namespace TorBalancer.Daemon.Tor;

internal sealed partial class ManagedTorWorker
{
    private static partial class Log
    {
        [LoggerMessage(ManagedWorkerEventIds.Starting, LogLevel.Information, "Worker {Worker}: starting (pid {Pid}, {Executable})")]
        public static partial void Starting(ILogger logger, string worker, int pid, string executable);

        [LoggerMessage(EventId = ManagedWorkerEventIds.Progress, Message = "Worker {Worker}: {Progress} % ({Summary})")]
        public static partial void Progress(ILogger logger, LogLevel level, string worker, int progress, string summary);

        [LoggerMessage(ManagedWorkerEventIds.Ready, LogLevel.Information, "Worker {Worker}: ready at {Socks}")]
        public static partial void Ready(ILogger logger, string worker, string socks);

        [LoggerMessage(
            ManagedWorkerEventIds.BootstrapProblem, LogLevel.Warning, "Worker {Worker}: problem at {Progress} %: {Problem}{Reason}")]
        public static partial void BootstrapProblem(ILogger logger, string worker, int progress, string problem, string reason);

        [LoggerMessage(ManagedWorkerEventIds.Ended, LogLevel.Warning, "Worker {Worker}: down: {Reason}")]
        public static partial void Ended(ILogger logger, string worker, string reason);

        [LoggerMessage(ManagedWorkerEventIds.RestartIn, LogLevel.Information, "Worker {Worker}: starts again in {Seconds} s")]
        public static partial void RestartIn(ILogger logger, string worker, double seconds);

        [LoggerMessage(
            ManagedWorkerEventIds.WaitingForDirectory, LogLevel.Warning,
            "Worker {Worker}: another tor, perhaps of a previous run, still holds {Directory}; waiting")]
        public static partial void WaitingForDirectory(ILogger logger, string worker, string directory);

        [LoggerMessage(ManagedWorkerEventIds.Stopped, LogLevel.Information, "Worker {Worker}: stopped")]
        public static partial void Stopped(ILogger logger, string worker);

        [LoggerMessage(ManagedWorkerEventIds.TorSays, LogLevel.Debug, "Worker {Worker}: tor: {Line}")]
        public static partial void TorSays(ILogger logger, string worker, string line);

        [LoggerMessage(ManagedWorkerEventIds.TorWarns, LogLevel.Warning, "Worker {Worker}: tor: {Line}")]
        public static partial void TorWarns(ILogger logger, string worker, string line);

        [LoggerMessage(ManagedWorkerEventIds.TorErrs, LogLevel.Error, "Worker {Worker}: tor: {Line}")]
        public static partial void TorErrs(ILogger logger, string worker, string line);

        [LoggerMessage(
            ManagedWorkerEventIds.TakenOver, LogLevel.Information, "Worker {Worker}: goes on with its tor (pid {Pid}), which runs already")]
        public static partial void TakenOver(ILogger logger, string worker, int pid);

        [LoggerMessage(ManagedWorkerEventIds.Left, LogLevel.Information, "Worker {Worker}: its tor is the new process's from now on")]
        public static partial void Left(ILogger logger, string worker);

        [LoggerMessage(
            ManagedWorkerEventIds.NotLeft, LogLevel.Warning,
            "Worker {Worker}: its tor cannot be handed over, and the new process starts it anew: {Reason}")]
        public static partial void NotLeft(ILogger logger, string worker, string reason);
    }
}
