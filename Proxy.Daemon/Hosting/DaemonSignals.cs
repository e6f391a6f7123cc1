using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using TorBalancer.Daemon.Logging;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Signals whose default would end the process, and every tunnel with it, from before its first line to its end: SIGHUP, which opens log
/// files anew and has the configuration read again, as it does in other daemons, and SIGXFSZ, which a log file brings that has reached a
/// limit (RLIMIT_FSIZE); the write
/// then fails as on a full disk. SIGUSR2 has another process take over. Programs that we start have the defaults. SIGTERM and SIGINT,
/// which the host takes, are counted.
/// </summary>
internal sealed partial class DaemonSignals : IDisposable
{
    private const PosixSignal FileSizeLimit = (PosixSignal)25, User2 = (PosixSignal)12;

    private readonly List<PosixSignalRegistration> _registrations = [];

    private readonly CancellationTokenSource _stopAgain = new();
    private Action? _reload;
    private int _stops;
    private int _asked;

    public DaemonSignals()
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnHangUp));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnStop));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, OnStop));
        if (!OperatingSystem.IsLinux())
            return;
        _registrations.Add(PosixSignalRegistration.Create(FileSizeLimit, static context => context.Cancel = true));
        _registrations.Add(PosixSignalRegistration.Create(User2, OnUser2));
    }

    /// <summary>Where is told what was done; null as long as there is no host.</summary>
    public ILogger? Logger { get; set; }

    /// <summary>Has the configuration read again; null until everything is started. What was asked for until then is done then.</summary>
    public Action? Reload
    {
        get => Volatile.Read(ref _reload);
        set
        {
            Volatile.Write(ref _reload, value);
            if (value is not null && Interlocked.Exchange(ref _asked, 0) != 0)
                value();
        }
    }

    /// <summary>Has another process take over; null until everything is started: nothing happens then.</summary>
    public Action? Upgrade { get; set; }

    /// <summary>Cancelled by a second SIGTERM or Ctrl-C.</summary>
    public CancellationToken StopAgain => _stopAgain.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _stopAgain.Dispose();
    }

    /// <summary>What they do is the host's; here they are counted.</summary>
    private void OnStop(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _stops) == 2)
            _stopAgain.Cancel();
    }

    private void OnUser2(PosixSignalContext context)
    {
        context.Cancel = true;
        Upgrade?.Invoke();
    }

    private void OnHangUp(PosixSignalContext context)
    {
        context.Cancel = true;
        var logger = Logger;
        bool hasFile = NLogSetup.TryReopen(problem =>
        {
            if (logger is null)
                return;
            if (problem is null)
                Log.LogsReopened(logger);
            else
                Log.LogsNotReopened(logger, problem);
        });
        if (!hasFile && logger is not null)
            Log.NoLogFile(logger);
        Interlocked.Exchange(ref _asked, 1);
        if (Reload is { } reload && Interlocked.Exchange(ref _asked, 0) != 0)
            reload();
    }

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.LogsReopened, LogLevel.Information,
            "SIGHUP: the log file was opened anew")]
        public static partial void LogsReopened(ILogger logger);

        [LoggerMessage(
            HostingEventIds.LogsNotReopened, LogLevel.Warning,
            "SIGHUP: the log file cannot be opened anew: {Problem}")]
        public static partial void LogsNotReopened(ILogger logger, string problem);

        [LoggerMessage(
            HostingEventIds.NoLogFile, LogLevel.Debug,
            "SIGHUP: there is no [Log] File to open anew")]
        public static partial void NoLogFile(ILogger logger);
    }
}
