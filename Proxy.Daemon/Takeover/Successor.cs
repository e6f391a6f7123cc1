using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// Starts the process that is to take over, from the file and with the arguments that this one was started with: a child of ours, so that
/// it is in the same service and has the same surroundings. Which release it is, is what stands at the file's path by now.
/// </summary>
/// <remarks>
/// A service manager looks, when it hears of a main process, whether that is a child of its own. Of one that is not, systemd does not wait
/// for the end: with KillMode=mixed its stop sends SIGTERM and SIGKILL right behind it. So there is a shell between, which waits, and
/// which <see cref="LetGoAsync"/> ends before the new process is named: orphans are the manager's.
/// </remarks>
internal sealed partial class Successor(ProxyServer server, SystemdNotifier systemd, ILogger<Successor> logger)
{
    private const string Option = "--takeover", Deleted = " (deleted)", Shell = "/bin/sh";

    /// <summary>
    /// Runs the rest of the command line, and ends as that does. In the foreground: what a shell runs beside itself ignores SIGINT and
    /// SIGQUIT, and so would all that come after.
    /// </summary>
    private const string Between = "\"$0\" \"$@\"; exit \"$?\"";

    /// <summary>Of the kernel, while the file is still there.</summary>
    private readonly string _path = Environment.ProcessPath ?? "";

    private readonly Lock _lock = new();
    private Process? _between;

    // Ends with the other process, which outlives this one when all goes well, or with the shell between.
    private Task _following = Task.CompletedTask;

    /// <summary>
    /// Returns at once. One at a time: while one is under way nothing happens, and nothing when another process has taken over already.
    /// </summary>
    public void Start()
    {
        lock (_lock)
        {
            if (!_following.IsCompleted || server.Serving.Stage != ServingStage.Serving)
                return;
            Process process;
            try
            {
                process = Process.Start(Command())!;
            }
            catch (Exception failure) when (failure is Win32Exception or IOException or UnauthorizedAccessException)
            {
                Log.NotStarted(logger, systemd.IsListenedTo ? $"{Shell} for {_path}" : _path, failure.Message);
                return;
            }

            Log.Started(logger, _path);
            _between = systemd.IsListenedTo ? process : null;
            _following = FollowAsync(process);
        }
    }

    /// <summary>The process that was started is no longer ours to wait for.</summary>
    public async Task LetGoAsync()
    {
        Task following;
        lock (_lock)
        {
            if (_between is null)
                return;
            following = _following;
            try
            {
                _between.Kill();
            }
            catch (InvalidOperationException)
            {
                // It has ended by itself.
            }
        }

        await following;
    }

    private ProcessStartInfo Command()
    {
        // Behind a new file of the same name, this one's own has no name any more.
        string path = _path.EndsWith(Deleted, StringComparison.Ordinal) ? _path[..^Deleted.Length] : _path;
        string[] arguments = Environment.GetCommandLineArgs()[1..];
        if (!arguments.Contains(Option))
            arguments = [.. arguments, Option];
        var start = systemd.IsListenedTo
            ? new ProcessStartInfo(Shell, ["-c", Between, path, .. arguments]) : new ProcessStartInfo(path, arguments);

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
            Log.Ended(logger, process.ExitCode);
    }

    private static partial class Log
    {
        [LoggerMessage(TakeoverEventIds.SuccessorStarted, LogLevel.Information, "SIGUSR2: another process is to take over ({Path})")]
        public static partial void Started(ILogger logger, string path);

        [LoggerMessage(
            TakeoverEventIds.SuccessorNotStarted, LogLevel.Error, "SIGUSR2: no process can be started to take over ({Path}): {Reason}")]
        public static partial void NotStarted(ILogger logger, string path, string reason);

        [LoggerMessage(
            TakeoverEventIds.SuccessorFailed, LogLevel.Error,
            "The process that was to take over ended with code {Code} and has said why; this one goes on")]
        public static partial void Ended(ILogger logger, int code);
    }
}
