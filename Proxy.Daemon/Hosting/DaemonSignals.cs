using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using TorBalancer.Daemon.Logging;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Signals whose default would end the process, and every tunnel with it, from before its first line to its end: SIGHUP, which opens log
/// files anew as it does in other daemons, and SIGXFSZ, which a log file brings that has reached a limit (RLIMIT_FSIZE); the write
/// then fails as on a full disk. Programs that we start have the defaults.
/// </summary>
internal sealed partial class DaemonSignals : IDisposable
{
    private const PosixSignal FileSizeLimit = (PosixSignal)25;

    private readonly List<PosixSignalRegistration> _registrations = [];

    public DaemonSignals()
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnHangUp));
        if (OperatingSystem.IsLinux())
            _registrations.Add(PosixSignalRegistration.Create(FileSizeLimit, static context => context.Cancel = true));
    }

    /// <summary>Where is told what was done; null as long as there is no host.</summary>
    public ILogger? Logger { get; set; }

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }

    private void OnHangUp(PosixSignalContext context)
    {
        context.Cancel = true;
        NLogSetup.Reopen();
        if (Logger is { } logger)
            Log.LogsReopened(logger);
    }

    private static partial class Log
    {
        [LoggerMessage(HostingEventIds.LogsReopened, LogLevel.Information, "SIGHUP: the log file was opened anew. The configuration is as it was: restart to apply a changed one")]
        public static partial void LogsReopened(ILogger logger);
    }
}
