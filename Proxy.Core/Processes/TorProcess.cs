using System.Diagnostics;
using System.Globalization;
using System.IO.Pipes;

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

/// <summary>A tor that runs and that another process of ours has started.</summary>
/// <param name="ProcessId">Its number.</param>
/// <param name="Started">When it was started; see <see cref="ProcessSignals.StartOf"/>.</param>
/// <param name="Output">What it prints, the reading ends of its pipes.</param>
/// <param name="Handle">
/// The process itself; null: there is none to be had. Then its number and start are what it is known by, which takes a /proc that shows
/// it.
/// </param>
internal sealed record RunningTor(int ProcessId, long Started, IReadOnlyList<Stream> Output, PidFd? Handle)
{
    /// <summary>It has not ended.</summary>
    public bool IsRunning => Handle?.IsRunning ?? ProcessSignals.StartOf(ProcessId) == Started;
}

/// <summary>
/// One running tor: its output is always drained (a full pipe would block it), its end is a task, and it is stopped
/// with SIGTERM and, past a bound, SIGKILL. Only ever signals the one process that it started, or has taken over.
/// </summary>
internal sealed class TorProcess : IAsyncDisposable
{
    private const int KeptLines = 20;
    private const string SetSid = "/usr/bin/setsid";

    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(5);

    // A pluggable transport of tor's may keep the pipes open after tor itself ended; its output is not worth a wait.
    private static readonly TimeSpan DrainBound = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan KillBound = TimeSpan.FromSeconds(5);

    /// <summary>How often it is looked whether one ends that is no child of ours, which nobody tells us of.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);

    // Null: it is no child of ours.
    private readonly Process? _process;
    private readonly IReadOnlyList<Stream> _pipes;
    private readonly RunningTor _running;
    private readonly TimeProvider _time;
    private readonly Action<string>? _onOutput;
    private readonly Task _output;
    private readonly Lock _lock = new();
    private readonly Queue<string> _lastLines = new(KeptLines);
    private int _disposed;
    private volatile bool _isLeft;

    private TorProcess(Process process, Action<string>? onOutput, TimeProvider time)
    {
        _process = process;
        _pipes = [process.StandardOutput.BaseStream, process.StandardError.BaseStream];
        _time = time;
        _onOutput = onOutput;
        ProcessId = process.Id;
        _running = new RunningTor(process.Id, ProcessSignals.StartOf(process.Id) ?? 0, [], PidFd.Open(process.Id));
        _output = Task.WhenAll(DrainAsync(process.StandardOutput), DrainAsync(process.StandardError));
        Exited = WaitForExitAsync(process);
    }

    private TorProcess(RunningTor tor, Action<string>? onOutput, TimeProvider time)
    {
        _pipes = tor.Output;
        _time = time;
        _onOutput = onOutput;
        ProcessId = tor.ProcessId;
        _running = tor;
        _output = Task.WhenAll(tor.Output.Select(pipe => DrainAsync(new StreamReader(pipe))));
        Exited = WatchAsync();
    }

    public int ProcessId { get; }

    /// <summary>When it was started; see <see cref="ProcessSignals.StartOf"/>.</summary>
    public long Started => _running.Started;

    /// <summary>Stands for the process, for another process that takes it over; null: there is none (<see cref="PidFd"/>).</summary>
    public int? Descriptor => _running.Handle?.Descriptor;

    /// <summary>The reading ends of its pipes; none where the framework does not give them.</summary>
    public IReadOnlyList<int> OutputDescriptors =>
        [.. _pipes.OfType<PipeStream>().Select(static pipe => (int)pipe.SafePipeHandle.DangerousGetHandle())];

    /// <summary>
    /// Completes with the exit code when the process is gone (128 + n after signal n; -1: it was no child of ours); never faults. Its last
    /// lines have been read by then, unless a child of it keeps the pipe open for more than a second.
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

    /// <summary>Goes on with one that another process of ours has started; null: it has ended meanwhile.</summary>
    public static TorProcess? TakeOver(RunningTor tor, Action<string>? onOutput, TimeProvider time)
    {
        if (tor.IsRunning)
            return new TorProcess(tor, onOutput, time);
        tor.Handle?.Dispose();
        foreach (var pipe in tor.Output)
            pipe.Dispose();
        return null;
    }

    /// <summary>It is another process's from now on: nothing of it is read, and disposing does not end it.</summary>
    public void Leave()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _isLeft = true;
        _running.Handle?.Dispose();
        foreach (var pipe in _pipes)
            pipe.Dispose();
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
        if (Exited.IsCompleted || (_process?.HasExited ?? !_running.IsRunning))
            return;
        if (_running.Handle is { } handle)
            handle.Terminate();
        else
            ProcessSignals.Terminate(ProcessId);
    }

    /// <summary>Sends SIGKILL and does not wait. Does nothing when it has ended.</summary>
    public void Kill()
    {
        if (Exited.IsCompleted)
            return;
        if (_process is not null)
            _process.Kill(entireProcessTree: false);
        else if (_running.Handle is { } handle)
            handle.Kill();
        else if (_running.IsRunning)
            ProcessSignals.Kill(ProcessId);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await StopAsync(DisposeGrace);
        _process?.Dispose();
        _running.Handle?.Dispose();
        if (_process is null)
        {
            foreach (var pipe in _pipes)
                pipe.Dispose();
        }
    }

    private async Task<int> WatchAsync()
    {
        while (!_isLeft && _running.IsRunning)
            await Task.Delay(LookInterval, _time);
        await WaitForOutputAsync();
        return -1;
    }

    private async Task<int> WaitForExitAsync(Process process)
    {
        await process.WaitForExitAsync();
        int code = process.ExitCode;
        await WaitForOutputAsync();
        return code;
    }

    private async Task WaitForOutputAsync()
    {
        try
        {
            await _output.WaitAsync(DrainBound, _time);
        }
        catch (TimeoutException)
        {
            // Disposing the process closes our ends of the pipes, which ends the readers.
        }
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
