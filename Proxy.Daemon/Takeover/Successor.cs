using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// Starts the process that is to take over, from the file and with the arguments that this one was started with: a child of ours, so that
/// it is in the same service and has the same surroundings. Which release it is, is what stands at the file's path by now.
/// </summary>
internal sealed partial class Successor(ProxyServer server, ILogger<Successor> logger)
{
    private const string Option = "--takeover", Deleted = " (deleted)";

    /// <summary>Of the kernel, while the file is still there.</summary>
    private readonly string _path = Environment.ProcessPath ?? "";

    private readonly Lock _lock = new();
    // Ends with the other process, which outlives this one when all goes well.
    private Task _following = Task.CompletedTask;

    /// <summary>Returns at once. One at a time: while one is under way nothing happens.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (!_following.IsCompleted)
                return;
            Process process;
            try
            {
                process = Process.Start(Command())!;
            }
            catch (Exception failure) when (failure is Win32Exception or IOException or UnauthorizedAccessException)
            {
                Log.NotStarted(logger, _path, failure.Message);
                return;
            }

            Log.Started(logger, process.Id, _path);
            _following = FollowAsync(process);
        }
    }

    private ProcessStartInfo Command()
    {
        // Behind a new file of the same name, this one's own has no name any more.
        string path = _path.EndsWith(Deleted, StringComparison.Ordinal) ? _path[..^Deleted.Length] : _path;
        string[] arguments = Environment.GetCommandLineArgs()[1..];
        var start = new ProcessStartInfo(path, arguments.Contains(Option) ? arguments : [.. arguments, Option]);

        // They name this process: the watchdog is the other one's as soon as the service is.
        foreach (string name in (string[])["WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"])
            start.Environment.Remove(name);
        return start;
    }

    private async Task FollowAsync(Process process)
    {
        using var ended = process;
        await ended.WaitForExitAsync();
        if (server.Serving.Stage == ServingStage.Serving)
            Log.Ended(logger, process.Id, process.ExitCode);
    }

    private static partial class Log
    {
        [LoggerMessage(TakeoverEventIds.SuccessorStarted, LogLevel.Information, "SIGUSR2: process {Pid} is to take over ({Path})")]
        public static partial void Started(ILogger logger, int pid, string path);

        [LoggerMessage(
            TakeoverEventIds.SuccessorNotStarted, LogLevel.Error, "SIGUSR2: no process can be started to take over ({Path}): {Reason}")]
        public static partial void NotStarted(ILogger logger, string path, string reason);

        [LoggerMessage(
            TakeoverEventIds.SuccessorFailed, LogLevel.Error,
            "Process {Pid}, which was to take over, ended with code {Code} and has said why; this one goes on")]
        public static partial void Ended(ILogger logger, int pid, int code);
    }
}
