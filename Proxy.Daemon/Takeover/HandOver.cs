using System.Net.Sockets;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Metrics;
using TorBalancer.Admin.Reload;
using TorBalancer.Connecting;
using TorBalancer.Daemon.Keys;
using TorBalancer.Daemon.Systemd;
using TorBalancer.Health;
using TorBalancer.Interop;
using TorBalancer.Routing;
using TorBalancer.Server;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Takeover;

/// <summary>What is handed over, and who has it.</summary>
internal sealed record HandOverContents(
    ProxyServer Server, SessionTable Sessions, VirtualNames Names, RelayWatchService Relays, HealthMonitor Health,
    IsolationKeyNotice Key, IEnumerable<IHandOverPart> Parts, WorkersOffer Workers);

/// <summary>The managed workers of now; null: there are none.</summary>
internal delegate TakeoverWorkers? WorkersOffer();

/// <summary>
/// The running daemon's side of a takeover: one at a time. Nothing changes before the new process has said that everything stands there;
/// from then on it serves, and this one ends with its last connection.
/// </summary>
internal sealed partial class HandOver(
    HandOverContents contents, ConfigurationReloader reloader, Successor started, SystemdNotifier systemd,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<HandOver> logger)
{
    /// <summary>
    /// How long the new process may take for its first word, to read its files and to start everything: this one serves meanwhile, and only
    /// reloads wait. Then for what has changed: clients wait.
    /// </summary>
    private static readonly TimeSpan HelloLimit = TimeSpan.FromSeconds(10), ReadyLimit = TimeSpan.FromSeconds(60),
        StandsLimit = TimeSpan.FromMinutes(2), DoneLimit = TimeSpan.FromSeconds(10);

    private int _isUnderWay;

    /// <summary>Carries one out, or finds that it does not come to one.</summary>
    /// <param name="input">What the new process sends.</param>
    /// <param name="socket">By which it is answered: nothing else writes to it. It may be closed at any time.</param>
    /// <param name="successor">The new process's number.</param>
    public async Task RunAsync(Stream input, Socket socket, int successor, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        string step = "it had said who it is";
        bool isAlone = false;
        try
        {
            using var answers = SharedDescriptors.Duplicate(socket);
            int fd = (int)answers.DangerousGetHandle();
            var hello = await ReceiveAsync(input, TakeoverJson.Default.TakeoverHello, HelloLimit, stop);
            isAlone = Interlocked.Exchange(ref _isUnderWay, 1) == 0;
            if (RefusalOf(hello, successor, isAlone) is { } refusal)
            {
                Log.Refused(logger, successor, hello.Program, refusal);
                TakeoverFrames.Send(fd, new TakeoverOffer { Refusal = refusal }, TakeoverJson.Default.TakeoverOffer);
                return;
            }

            Log.Begins(logger, successor, hello.Program);
            using var held = await reloader.HoldAsync(stop.Token);
            step = "it was ready";
            Offer(fd);
            var ready = await ReceiveAsync(input, TakeoverJson.Default.TakeoverReady, ReadyLimit, stop);
            step = "everything stood there";
            var known = await TellAsync(fd, stop.Token);
            Check(await ReceiveAsync(input, TakeoverJson.Default.TakeoverWord, StandsLimit, stop), TakeoverWord.Stands);
            step = "it accepted";
            var pause = await GiveAsync(input, fd, known, stop.Token);
            await LetGoAsync(fd, ready, successor, pause);
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException or ObjectDisposedException)
        {
            Log.Failed(logger, successor, step, failure is OperationCanceledException ? "it took too long, or we stop" : failure.Message);
        }
        finally
        {
            if (isAlone)
                Volatile.Write(ref _isUnderWay, 0);
        }
    }

    private string? RefusalOf(TakeoverHello hello, int successor, bool isAlone)
    {
        if (!hello.Versions.Contains(TakeoverFrames.Version))
        {
            return $"it speaks version {string.Join(", ", hello.Versions)} of the takeover, and this daemon version "
                + $"{TakeoverFrames.Version}: restart it instead";
        }

        if (!isAlone)
            return "another process is taking over already";

        // The manager would not have it for the service, and end the service, tor processes included, when this one leaves.
        if (systemd.IsListenedTo && ServiceGroup.IsAnother(successor))
        {
            return "it belongs to a service, which a process outside of that cannot carry on; have it start its successor itself: "
                + "systemctl kill --kill-whom=main -s USR2 torbalancer";
        }

        return contents.Server.Serving.Stage == ServingStage.Serving ? null : "the daemon is starting or stopping";
    }

    private void Offer(int fd)
    {
        // First: it says whose descriptors these are.
        var workers = contents.Workers();
        var descriptors = contents.Parts.SelectMany(static part => part.Descriptors).ToList();
        TakeoverFrames.Send(
            fd,
            new TakeoverOffer
            {
                Version = TakeoverFrames.Version,
                Program = ProcessFigures.Version,
                ProcessId = Environment.ProcessId,
                Descriptors = [.. descriptors.Select(static one => one.What)],
                IsolationKey = contents.Key.IsOfThisProcess ? Convert.ToHexStringLower(contents.Key.Key.Value) : null,
                Workers = workers,
            }, TakeoverJson.Default.TakeoverOffer);
        TakeoverFrames.SendDescriptors(fd, [.. descriptors.Select(static one => one.Descriptor)]);
    }

    /// <summary>All of it goes over while clients are accepted: none of them waits for it.</summary>
    /// <returns>What tells later what has changed since.</returns>
    private async Task<(IReadOnlySet<SessionState> Sessions, long At)> TellAsync(int fd, CancellationToken cancellationToken)
    {
        long at = time.GetTimestamp();
        var state = Look(at: long.MinValue);
        await Task.Run(() => TakeoverFrames.Send(fd, state, TakeoverJson.Default.TakeoverState), cancellationToken);
        return (state.Sessions.Known(), at);
    }

    /// <param name="at">A timestamp: names that were used before are left out.</param>
    private TakeoverState Look(long at) => new()
    {
        Sessions = contents.Sessions.Export(),
        VirtualNames = contents.Names.Export(at),
        Relays = contents.Relays.Export(),
        Workers = contents.Health.Export(),
        Discovered = [.. reloader.Discovered.Select(static one => new TakeoverDiscovered(one.Id, one.Keys.ToDictionary()))],
    };

    /// <summary>Clients wait from the beginning of this until the other process accepts, right behind its last word.</summary>
    /// <returns>How long it took.</returns>
    private async Task<TimeSpan> GiveAsync(
        Stream input, int fd, (IReadOnlySet<SessionState> Sessions, long At) known, CancellationToken cancellationToken)
    {
        long began = time.GetTimestamp();
        var parts = contents.Parts.ToList();
        try
        {
            await Task.WhenAll(parts.Select(static part => part.PauseAsync().AsTask()));

            // The totals go over; what this process carries from here on is its own.
            contents.Server.Connections.CountBytes();
            var state = Look(known.At);
            state = state with { Sessions = state.Sessions.Without(known.Sessions) };
            await Task.Run(() => TakeoverFrames.Send(fd, state, TakeoverJson.Default.TakeoverState), cancellationToken);
            await ReceiveDoneAsync(input, fd, cancellationToken);
            return time.GetElapsedTime(began);
        }
        catch
        {
            foreach (var part in parts)
                part.Resume();
            throw;
        }
    }

    /// <summary>
    /// Returns when the other process has said that it accepts. When it does not in time, or the token is cancelled, it can no longer say
    /// so: what it could send until then counts, and what it tries to send later fails there. So both know the same.
    /// </summary>
    private async Task ReceiveDoneAsync(Stream input, int fd, CancellationToken cancellationToken)
    {
        var receiving = TakeoverFrames.ReceiveAsync(input, TakeoverJson.Default.TakeoverWord, CancellationToken.None);
        using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            await Task.WhenAny(receiving, Task.Delay(DoneLimit, time, limit.Token));
            await limit.CancelAsync();
        }

        bool isLate = !receiving.IsCompleted;
        if (isLate)
            SharedDescriptors.StopReceiving(fd);
        try
        {
            Check(await receiving, TakeoverWord.Done);
        }
        catch (IOException) when (isLate)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <summary>The other process serves from here on, whatever becomes of the rest.</summary>
    private async Task LetGoAsync(int fd, TakeoverReady ready, int successor, TimeSpan pause)
    {
        contents.Server.Serving.MoveTo(ServingStage.Draining);
        foreach (var part in contents.Parts)
            await part.LeaveAsync(ready, successor);
        await started.LetGoAsync();
        systemd.HandOver(successor);
        Log.Done(logger, successor, pause.TotalMilliseconds, contents.Server.Connections.Count);
        try
        {
            TakeoverFrames.Send(fd, new TakeoverWord(TakeoverWord.Released), TakeoverJson.Default.TakeoverWord);
        }
        catch (IOException failure)
        {
            Log.NotHeard(logger, successor, failure.Message);
        }

        lifetime.StopApplication();
    }

    private static void Check(TakeoverWord word, string expected)
    {
        if (word.Word != expected)
            throw new IOException($"it said \"{word.Word}\"");
    }

    private async Task<T> ReceiveAsync<T>(Stream input, JsonTypeInfo<T> type, TimeSpan limit, CancellationTokenSource stop)
    {
        using var timer = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stop.Token);
        return await TakeoverFrames.ReceiveAsync(input, type, either.Token);
    }

    private static partial class Log
    {
        [LoggerMessage(
            TakeoverEventIds.Begins, LogLevel.Information,
            "Process {Pid} (release {Program}) asks to take over; this one serves until it can")]
        public static partial void Begins(ILogger logger, int pid, string program);

        [LoggerMessage(TakeoverEventIds.Refused, LogLevel.Warning, "Process {Pid} (release {Program}) may not take over: {Reason}")]
        public static partial void Refused(ILogger logger, int pid, string program, string reason);

        [LoggerMessage(
            TakeoverEventIds.Failed, LogLevel.Error,
            "Process {Pid} did not take over, which ended before {Step} ({Reason}); this one goes on as before")]
        public static partial void Failed(ILogger logger, int pid, string step, string reason);

        [LoggerMessage(
            TakeoverEventIds.HandedOver, LogLevel.Information,
            "Process {Pid} has taken over, {Milliseconds:0} ms after this one stopped accepting; {Count} connections go on here to their "
                + "end")]
        public static partial void Done(ILogger logger, int pid, double milliseconds, int count);

        [LoggerMessage(TakeoverEventIds.NotHeard, LogLevel.Warning, "Process {Pid} has taken over and is gone already: {Reason}")]
        public static partial void NotHeard(ILogger logger, int pid, string reason);
    }
}
