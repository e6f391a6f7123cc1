using System.ComponentModel;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Processes;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Daemon.Tor;

/// <summary>One managed worker: a loop of start, bootstrap, being there, end, and a wait before the next start.</summary>
internal sealed partial class ManagedTorWorker(
    string id, string executable, ManagedWorkerPaths paths, IReadOnlyList<string> extraLines, IManagedWorkerSink sink, ILogger logger,
    TimeProvider time)
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastBackoff = TimeSpan.FromSeconds(60);

    // Who lived this long did not fail because of how it was started: the next wait is short again.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(60);

    // A tor whose daemon was killed polls for its owner every 15 s.
    private static readonly TimeSpan DirectoryBound = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ExitBound = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StopStep = TimeSpan.FromSeconds(5);

    // Without these, each tor keeps a good part of what it once used; measured in a network of 18: 970 MB against 268 MB.
    private static readonly Dictionary<string, string> TorEnvironment = new()
    {
        ["MALLOC_ARENA_MAX"] = "1",
        ["MALLOC_MMAP_THRESHOLD_"] = "1048576",
    };

    private AdoptedTor? _adopted;
    private volatile RunningNow? _now;
    private volatile TorProcess? _left;

    /// <summary>A tor of this id that another process of ours runs and hands over; null: there is none.</summary>
    public AdoptedTor? Adopted
    {
        init => _adopted = value;
    }

    /// <summary>
    /// Completes when the tor may be owned or, where none is handed over, started: at once, unless another process of ours has yet to let
    /// go.
    /// </summary>
    public Task MayOwn { get; init; } = Task.CompletedTask;

    public string Id => id;

    /// <summary>The process of now; null: there is none.</summary>
    public RunningNow? Now => _now;

    /// <summary>
    /// The tor is another process's from now on, which owns it as soon as it can; until then tor ends when that process does. It runs on
    /// when <see cref="RunAsync"/>'s token is cancelled.
    /// </summary>
    /// <param name="process">Which one. One that was started since is none that the other process knows of: it ends with the token.</param>
    /// <param name="successor">The other process's number.</param>
    public async Task LeaveAsync(TorProcess process, int successor)
    {
        _left = process;
        if (_now is not { Control: { } control } now || now.Process != process)
            return;
        try
        {
            string owner = successor.ToString(CultureInfo.InvariantCulture);
            using var limit = new CancellationTokenSource(StopStep, time);
            await control.SetConfAsync([new("__OwningControllerProcess", owner)], limit.Token);
            await control.DropOwnershipAsync(limit.Token);
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException or ControlProtocolException
            or ControlReplyException)
        {
            Log.NotLeft(logger, id, failure.Message);
        }
    }

    /// <summary>
    /// Runs until the token is cancelled, and the process is gone then, unless it was left. Never faults for what tor does.
    /// </summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        // Start() of several workers must not wait for the first one's process.
        await Task.Yield();
        int failures = 0;
        bool isLeft = false;
        while (!stopping.IsCancellationRequested)
        {
            if (_adopted is null)
                await MayOwn.WaitAsync(stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stopping.IsCancellationRequested)
                break;
            long started = time.GetTimestamp();
            isLeft = await RunOnceAsync(stopping);
            if (stopping.IsCancellationRequested)
                break;
            if (time.GetElapsedTime(started) >= Settled)
                failures = 0;
            var wait = Backoff(failures++);
            Log.RestartIn(logger, id, wait.TotalSeconds);
            await Task.Delay(wait, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (isLeft)
            Log.Left(logger, id);
        else
            Log.Stopped(logger, id);
    }

    /// <summary>1, 2, 4, … 60 s.</summary>
    internal static TimeSpan Backoff(int failures)
        => failures > 6 ? LastBackoff : TimeSpan.FromTicks(Math.Min(FirstBackoff.Ticks << failures, LastBackoff.Ticks));

    /// <summary>From the start to the end of one process; true: it was left to another process of ours.</summary>
    private async Task<bool> RunOnceAsync(CancellationToken stopping)
    {
        TorProcess? process = null;
        ControlConnection? control = null;
        string reason = "";
        var adopted = Interlocked.Exchange(ref _adopted, null);

        // Whose it is decides whether it ends with us.
        bool isOurs = adopted is null;
        try
        {
            process = adopted is null ? await StartAsync(stopping) : TakeOver(adopted);
            _now = new RunningNow(process, null, IsReady: false);
            (control, var controlEndPoint) = await ConnectAsync(process, stopping);
            _now = new RunningNow(process, control, IsReady: false);
            bool isReady = adopted is { IsReady: true } && (await control.GetBootstrapAsync(stopping)).IsDone;
            if (!isReady)
            {
                await OwnAsync(control, stopping);
                isOurs = true;
                await FollowBootstrapAsync(control, stopping);
            }

            var socks = paths.HasSocksPort ? await SocksEndPointAsync(control, stopping) : null;
            Log.Ready(logger, id, Describe(socks ?? controlEndPoint));
            sink.Ready(id, socks, controlEndPoint, paths.CookiePath(id));
            _now = new RunningNow(process, control, IsReady: true);
            if (isReady)
            {
                await OwnAsync(control, stopping);
                isOurs = true;
            }

            // Tor owned by this connection ends with it, and the other way round.
            await control.Closed.WaitAsync(stopping);
            reason = await EndReasonAsync(process, "the control connection ended");
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to stop.
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or Win32Exception or TimeoutException
            or ControlProtocolException or ControlReplyException or ControlAuthenticationException)
        {
            reason = process is null ? failure.Message : await EndReasonAsync(process, failure.Message);
        }

        _now = null;
        bool isLeft = process is not null && process == _left;
        if (isLeft || (!isOurs && stopping.IsCancellationRequested))
        {
            // Another process's: the connections through it are none of ours to judge either.
            process?.Leave();
            if (control is not null)
                await control.DisposeAsync();
            return isLeft;
        }

        // At a stop nobody is served by it any more, and that it ends is no change of its health.
        if (!stopping.IsCancellationRequested)
        {
            Log.Ended(logger, id, reason);
            sink.Down(id, reason);
        }

        await EndAsync(process, control);
        return false;
    }

    private async Task<TorProcess> StartAsync(CancellationToken stopping)
    {
        await PrepareAsync(stopping);
        var process = TorProcess.Start(
            new TorStartInfo(executable, paths.TorrcPath(id)) { Environment = TorEnvironment, OnOutput = OnOutput, OwnSession = true },
            time);
        Log.Starting(logger, id, process.ProcessId, executable);
        _reported = BootstrapStatus.None;
        _reportedProblem = null;
        _complaint = null;
        sink.Starting(id, BootstrapStatus.None);
        return process;
    }

    private TorProcess TakeOver(AdoptedTor adopted)
    {
        var process = TorProcess.TakeOver(adopted.Tor, OnOutput, time)
            ?? throw new IOException("tor ended while another process handed it over");
        Log.TakenOver(logger, id, process.ProcessId);
        return process;
    }

    /// <summary>From then on tor ends with our connection, and with nobody else's.</summary>
    private async Task OwnAsync(ControlConnection control, CancellationToken stopping)
    {
        await MayOwn.WaitAsync(stopping);
        await control.TakeOwnershipAsync(stopping);
        await control.ResetConfAsync([new("__OwningControllerProcess", null)], stopping);
    }

    private async Task PrepareAsync(CancellationToken stopping)
    {
        string data = paths.DataDirectory(id);
        ManagedWorkerFiles.MakePrivate(data);
        long began = time.GetTimestamp();
        while (ManagedWorkerFiles.IsHeld(data))
        {
            var waited = time.GetElapsedTime(began);
            if (waited > DirectoryBound)
                throw new IOException($"another tor holds {data}: stop it, or set [ManagedWorkers] DataDirectory to another directory");
            if (waited < TimeSpan.FromSeconds(1))
                Log.WaitingForDirectory(logger, id, data);
            await Task.Delay(TimeSpan.FromSeconds(1), time, stopping);
        }

        // Left over from a run that was killed; the directory is ours now. A stale one would be connected to.
        if (paths.Sockets is not null)
        {
            ManagedWorkerFiles.MakePrivate(Path.GetDirectoryName(paths.ControlSocket(id)!)!);
            File.Delete(paths.ControlSocket(id)!);
            File.Delete(paths.SocksSocket(id)!);
        }

        File.Delete(paths.ControlPortFile(id));
        ManagedWorkerFiles.WritePrivate(paths.TorrcPath(id), ManagedTorrc.Lines(paths, id, extraLines, Environment.ProcessId));
    }

    private async Task<string> EndReasonAsync(TorProcess process, string otherwise)
    {
        // The end of the process and that of the connection are one thing seen twice; which is seen first is chance.
        await Task.WhenAny(process.Exited, Task.Delay(ExitBound, time));
        if (!process.Exited.IsCompleted)
            return otherwise;
        var lines = process.LastLines;
        string? line = lines.LastOrDefault(line => line.Contains("[err]", StringComparison.Ordinal))
            ?? lines.LastOrDefault(line => line.Contains("[warn]", StringComparison.Ordinal))
            ?? (lines.Count > 0 ? lines[^1] : null);
        int code = await process.Exited;
        return line is null ? $"tor ended with code {code}" : $"tor ended with code {code}: {line}";
    }

    private async Task EndAsync(TorProcess? process, ControlConnection? control)
    {
        if (process is not null && control is not null && !process.Exited.IsCompleted)
        {
            try
            {
                await control.SignalAsync("SHUTDOWN", CancellationToken.None).WaitAsync(StopStep, time);
                await process.Exited.WaitAsync(StopStep, time);
            }
            catch (Exception failure) when (failure is IOException or TimeoutException or ControlProtocolException or ControlReplyException)
            {
                // It does not listen: a signal of the other kind.
            }
        }

        if (process is not null)
        {
            await process.StopAsync(StopStep);
            await process.DisposeAsync();
        }

        if (control is not null)
            await control.DisposeAsync();
    }

    private static string Describe(EndPoint endPoint) => endPoint is UnixDomainSocketEndPoint ? $"unix:{endPoint}" : endPoint.ToString()!;

    private void OnOutput(string line)
    {
        if (line.Contains(" [err] ", StringComparison.Ordinal))
            Log.TorErrs(logger, id, line);
        else if (line.Contains(Warning, StringComparison.Ordinal))
            OnWarning(line);
        else
            Log.TorSays(logger, id, line);
    }
}

/// <summary>A tor that another process of ours hands over.</summary>
/// <param name="IsReady">Whether it could carry streams there.</param>
internal sealed record AdoptedTor(RunningTor Tor, bool IsReady);

/// <summary>A worker's process of one moment.</summary>
/// <param name="Control">Null: not connected yet.</param>
/// <param name="IsReady">It can carry streams.</param>
internal sealed record RunningNow(TorProcess Process, ControlConnection? Control, bool IsReady);
