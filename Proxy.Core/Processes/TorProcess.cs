using System.Diagnostics;
using System.Globalization;

namespace TorBalancer.Processes;

/// <summary>How one tor is to be started.</summary>
/// <param name="Executable">Path of the tor executable.</param>
/// <param name="TorrcPath">Its whole configuration: the system's defaults file is not read.</param>
internal sealed record TorStartInfo(string Executable, string TorrcPath)
{
    /// <summary>Further command-line options behind <c>-f torrc</c>, for example <c>DisableNetwork</c>, <c>1</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Added to our own environment, for example MALLOC_ARENA_MAX.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Called for each line of stdout and stderr, possibly from two threads at once. Must neither throw nor wait: the
    /// next line is read when it returns. Null: lines are only kept for <see cref="TorProcess.LastLines"/>.
    /// </summary>
    public Action<string>? OnOutput { get; init; }

    /// <summary>
    /// Starts it in a session of its own, so that Ctrl-C in our terminal reaches us only and we decide when it stops.
    /// Needs setsid(1); without it the child stays in our session.
    /// </summary>
    public bool OwnSession { get; init; }
}

/// <summary>How a stop went.</summary>
internal enum TorStop : byte
{
    /// <summary>It had ended before it was asked.</summary>
    AlreadyExited,

    /// <summary>It ended within the time given.</summary>
    Graceful,

    /// <summary>It had to be killed.</summary>
    Killed,
}

/// <summary>
/// One running tor: its output is always drained (a full pipe would block it), its end is a task, and it is stopped
/// with SIGTERM and, past a bound, SIGKILL. Only ever signals the one process that it started.
/// </summary>
internal sealed class TorProcess : IAsyncDisposable
{
    private const int KeptLines = 20;
    private const string SetSid = "/usr/bin/setsid";

    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(5);

    // A pluggable transport of tor's may keep the pipes open after tor itself ended; its output is not worth a wait.
    private static readonly TimeSpan DrainBound = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan KillBound = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly TimeProvider _time;
    private readonly Action<string>? _onOutput;
    private readonly Task _output;
    private readonly Lock _lock = new();
    private readonly Queue<string> _lastLines = new(KeptLines);
    private int _disposed;

    private TorProcess(Process process, Action<string>? onOutput, TimeProvider time)
    {
        _process = process;
        _time = time;
        _onOutput = onOutput;
        ProcessId = process.Id;
        _output = Task.WhenAll(DrainAsync(process.StandardOutput), DrainAsync(process.StandardError));
        Exited = WaitForExitAsync();
    }

    public int ProcessId { get; }

    /// <summary>
    /// Completes with the exit code when the process is gone (128 + n after signal n); never faults. Its last lines
    /// have been read by then, unless a child of it keeps the pipe open for more than a second.
    /// </summary>
    public Task<int> Exited { get; }

    /// <summary>The last lines that it printed, oldest first: what to show when it ended unasked.</summary>
    public IReadOnlyList<string> LastLines
    {
        get
        {
            lock (_lock)
                return _lastLines.ToArray();
        }
    }

    /// <summary>Starts it. Throws <see cref="System.ComponentModel.Win32Exception"/> when the executable cannot be started.</summary>
    public static TorProcess Start(TorStartInfo info, TimeProvider? time = null)
    {
        bool session = info.OwnSession && File.Exists(SetSid);
        var start = new ProcessStartInfo(session ? SetSid : info.Executable)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // A child of ours never leads a process group, so setsid(1) replaces itself without a fork: the pid is tor's.
        if (session)
            start.ArgumentList.Add(info.Executable);
        foreach (string argument in (string[])["--defaults-torrc", "/dev/null", "-f", info.TorrcPath, .. info.Arguments])
            start.ArgumentList.Add(argument);

        // Debian's tor would tell the service manager that it is ready, which is for us to say.
        start.Environment.Remove("NOTIFY_SOCKET");
        foreach (var (name, value) in info.Environment)
            start.Environment[name] = value;

        var process = new Process { StartInfo = start };
        try
        {
            process.Start();
            process.StandardInput.Close();
            return new TorProcess(process, info.OnOutput, time ?? TimeProvider.System);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>Asks with SIGTERM, waits at most <paramref name="grace"/>, then kills. May be called more than once.</summary>
    public async Task<TorStop> StopAsync(TimeSpan grace)
    {
        if (Exited.IsCompleted)
            return TorStop.AlreadyExited;
        Terminate();
        try
        {
            await Exited.WaitAsync(grace, _time);
            return TorStop.Graceful;
        }
        catch (TimeoutException)
        {
            Kill();

            // One that waits for a disk that hangs is killed when the disk answers; we do not wait for that.
            await Task.WhenAny(Exited, Task.Delay(KillBound, _time));
            return TorStop.Killed;
        }
    }

    /// <summary>Sends SIGTERM and does not wait. Does nothing when it has ended.</summary>
    public void Terminate()
    {
        // The runtime reaps a child as soon as it ends; asking it first keeps the signal from a pid that is another's by now.
        if (Exited.IsCompleted || _process.HasExited)
            return;
        ProcessSignals.Terminate(ProcessId);
    }

    /// <summary>Sends SIGKILL and does not wait. Does nothing when it has ended.</summary>
    public void Kill()
    {
        if (!Exited.IsCompleted)
            _process.Kill(entireProcessTree: false);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await StopAsync(DisposeGrace);
        _process.Dispose();
    }

    private async Task<int> WaitForExitAsync()
    {
        await _process.WaitForExitAsync();
        int code = _process.ExitCode;
        try
        {
            await _output.WaitAsync(DrainBound, _time);
        }
        catch (TimeoutException)
        {
            // Disposing the process closes our ends of the pipes, which ends the readers.
        }

        return code;
    }

    private async Task DrainAsync(StreamReader reader)
    {
        // Start() must return before the first callback runs.
        await Task.Yield();
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                lock (_lock)
                {
                    if (_lastLines.Count == KeptLines)
                        _lastLines.Dequeue();
                    _lastLines.Enqueue(line);
                }

                _onOutput?.Invoke(line);
            }
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The pipe went away with the process.
        }
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"tor (pid {ProcessId})");
}
