using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TorBalancer.Onion.Network;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Onion.Publishing;

/// <summary>
/// Drives a <see cref="PublisherState"/>: connects to tor, hands it what tor says, and does what it decides. One loop reads one queue, so
/// that the state needs no lock; whatever waits (commands to tor, checks) is a task that puts its outcome into the queue.
/// </summary>
internal sealed partial class PublishingLoop
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LastPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ActiveInterval = TimeSpan.FromMinutes(10);

    private readonly PublisherState _state;
    private readonly Func<CancellationToken, Task<PublisherTorAccess>> _access;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<Action<DateTimeOffset>> _queue = Channel.CreateUnbounded<Action<DateTimeOffset>>(
        new UnboundedChannelOptions { SingleReader = true });

    private readonly List<Task> _tasks = [];
    private CancellationToken _stop;
    private PublisherTor? _tor;
    private bool _isConnecting, _isReadingConsensus;
    private int _failures;
    private DateTimeOffset _nextConnect, _nextConsensus, _nextActive;
    private string? _consensusTime;
    private PublisherException? _refused;

    /// <param name="access">Says how tor is reached, when it can be.</param>
    public PublishingLoop(
        PublisherState state, Func<CancellationToken, Task<PublisherTorAccess>> access, TimeProvider time, ILogger logger)
    {
        _state = state;
        _access = access;
        _time = time;
        _logger = logger;
    }

    /// <summary>The version of the tor that is connected to; null: there is no connection.</summary>
    public string? TorVersion => _tor?.Version;

    /// <summary>Runs until the token is cancelled. Throws <see cref="PublisherException"/> when tor is one that others use.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _stop = stop.Token;
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                Turn(_time.GetUtcNow());
                if (_refused is { } refused)
                    throw refused;
                await WaitAsync(NextAt(_time.GetUtcNow()), stopping);
            }
        }
        finally
        {
            await stop.CancelAsync();
            _queue.Writer.TryComplete();
            await Task.WhenAll(_tasks);
            if (_tor is not null)
                await _tor.DisposeAsync();
        }
    }

    /// <summary>Asks or tells the state something, between two turns of the loop.</summary>
    public async Task<T> AskAsync<T>(Func<PublisherState, DateTimeOffset, T> question, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_queue.Writer.TryWrite(now => Answer(now)))
            throw new OperationCanceledException("the publisher is stopping");
        return await answer.Task.WaitAsync(cancellationToken);

        void Answer(DateTimeOffset now)
        {
            try
            {
                answer.TrySetResult(question(_state, now));
            }
            catch (Exception failure)
            {
                answer.TrySetException(failure);
            }
        }
    }

    // One turn: what came, what is due.
    private void Turn(DateTimeOffset now)
    {
        while (_queue.Reader.TryRead(out var handle))
            handle(now);
        _tasks.RemoveAll(static task => task.IsCompleted);
        if (_tor is null)
        {
            if (!_isConnecting && WallClock.IsDue(_nextConnect, LastPause, now))
                Connect();
            return;
        }

        if (!_isReadingConsensus && WallClock.IsDue(_nextConsensus, _state.Timing.ConsensusPoll, now))
            ReadConsensus(_tor, now);
        foreach (var action in _state.Step(now))
            Do(action, _tor);
    }

    private DateTimeOffset NextAt(DateTimeOffset now)
    {
        if (_tor is null)
            return _isConnecting ? now + LastPause : _nextConnect;
        var next = _state.NextAt(now);
        return !_isReadingConsensus && _nextConsensus < next ? _nextConsensus : next;
    }

    private async Task WaitAsync(DateTimeOffset until, CancellationToken stopping)
    {
        // Never shorter than this: what is due and cannot be done now must not spin.
        var pause = TimeSpan.FromMilliseconds(Math.Clamp((until - _time.GetUtcNow()).TotalMilliseconds, 20, 60_000));
        using var timer = new CancellationTokenSource(pause, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stopping);
        try
        {
            await _queue.Reader.WaitToReadAsync(both.Token);
        }
        catch (OperationCanceledException)
        {
            // It is time, or the end.
        }
    }

    private void Connect()
    {
        _isConnecting = true;
        Track(ConnectAsync());

        async Task ConnectAsync()
        {
            try
            {
                var tor = await PublisherTor.ConnectAsync(await _access(_stop), _logger, _time, _stop);
                if (!_queue.Writer.TryWrite(now => Connected(tor, now)))
                    await tor.DisposeAsync();
            }
            catch (PublisherException failure)
            {
                Post(_ => _refused = failure);
            }
            catch (Exception failure) when (ControlFailures.IsExpected(failure))
            {
                Post(now => Lost(failure.Message, now));
            }
        }
    }

    private void Connected(PublisherTor tor, DateTimeOffset now)
    {
        _isConnecting = false;
        _tor = tor;
        _consensusTime = null;
        (_nextConsensus, _nextActive) = (now, now);
        _state.Connected(tor.IsTestingNetwork);
        Track(PumpAsync());

        async Task PumpAsync()
        {
            await foreach (var heard in tor.Subscription.Events.ReadAllAsync(_stop))
                Post(at => Hear(heard, at));
            Post(at =>
            {
                if (_tor == tor)
                    Lost(tor.Control.EndReason?.Message ?? "the connection ended", at);
            });
        }
    }

    private void Lost(string reason, DateTimeOffset now)
    {
        if (_tor is { } tor)
        {
            _failures = 0;
            _tor = null;
            Track(tor.DisposeAsync().AsTask());
        }

        _isConnecting = false;
        var pause = TimeSpan.FromTicks(Math.Min(LastPause.Ticks, FirstPause.Ticks << Math.Min(_failures++, 6)));
        _nextConnect = now + pause;
        Log.TorGone(_logger, reason, pause.TotalSeconds);
        _state.Disconnected($"there is no connection to tor: {reason}", now);
    }

    private void Hear(ControlEvent heard, DateTimeOffset now)
    {
        switch (heard)
        {
            case HsDescContentEvent content:
                _state.Handle(content, now);
                break;
            case HsDescEvent descriptor:
                _state.Handle(descriptor, now);
                break;
            case StatusEvent { Action: "CONSENSUS_ARRIVED" or "ENOUGH_DIR_INFO" }:
                _nextConsensus = now;
                break;
            case StatusEvent { Action: "CLOCK_SKEW" or "CLOCK_JUMPED" } skew:
                Log.ClockSkew(_logger, skew.Action, skew.Keywords["SKEW"] ?? skew.Keywords["TIME"] ?? "?");
                break;
        }
    }

    private void ReadConsensus(PublisherTor tor, DateTimeOffset now)
    {
        _isReadingConsensus = true;
        _nextConsensus = now + _state.Timing.ConsensusPoll;
        bool isNeeded = _state.Problem is not null || _state.Consensus is not { DirectoriesWithoutIdentity: 0 };
        string? known = isNeeded ? null : _consensusTime;
        bool wakes = WallClock.IsDue(_nextActive, ActiveInterval, now);
        if (wakes)
            _nextActive = now + ActiveInterval;
        Track(Guard(async () =>
        {
            // A tor that nobody used for a day goes dormant, and gets no consensus any more: so whatever else is wrong.
            if (wakes)
                await tor.Control.SignalAsync("ACTIVE", _stop);
            string? current = await tor.ConsensusTimeAsync(_stop);
            bool isSame = current is not null && current == known;
            var (consensus, problem) = isSame ? default : await TorNetwork.ReadAsync(tor.Control, _stop);
            Post(at =>
            {
                _isReadingConsensus = false;
                if (_tor != tor)
                    return;

                // The clock may have passed what the same consensus is good for.
                if (isSame)
                    (consensus, problem) = (_state.Consensus, _state.Problem);
                else
                    _consensusTime = current;
                if (consensus is not null || problem is not null)
                    _state.ConsensusRead(consensus, problem, at);
            });
        }, _ => _isReadingConsensus = false));
    }

    private void Do(PublisherAction action, PublisherTor tor)
    {
        switch (action)
        {
            case PublisherAction.Fetch fetch:
                Track(Guard(
                    () => tor.Control.FetchDescriptorAsync(fetch.Address, _stop),
                    problem => _state.FetchFailed(fetch.Address, problem, _time.GetUtcNow())));
                break;
            case PublisherAction.Upload upload:
                Track(Guard(
                    () => tor.Control.PostDescriptorAsync(
                        upload.Service.Identity.Address.Label, [upload.To.Fingerprint], upload.To.Text, _stop),
                    problem => _state.UploadFailed(upload.Service, upload.To, problem, _time.GetUtcNow())));
                break;
            case PublisherAction.Check check:
                Track(CheckAsync(check.Instance, tor));
                break;
        }
    }

    private async Task CheckAsync(InstanceWatch instance, PublisherTor tor)
    {
        var outcome = tor.Access.Socks is { } socks
            ? await InstanceChecker.RunAsync(
                socks, instance.State.Address, instance.Check, _state.Timing.CheckTimeout, _time, _stop)
            : new CheckOutcome(null, "there is no SOCKS port to check through");
        Post(now => _state.Checked(instance, outcome.Passed, outcome.Detail, now));
    }

    /// <summary>A command to tor that may fail; the failure is told between two turns.</summary>
    private async Task Guard(Func<Task> command, Action<string> failed)
    {
        try
        {
            await command();
        }
        catch (Exception failure) when (ControlFailures.IsExpected(failure))
        {
            Post(_ => failed(failure.Message));
        }
    }

    private void Post(Action<DateTimeOffset> handle) => _queue.Writer.TryWrite(handle);

    private void Track(Task task) => _tasks.Add(Watched(task));

    private async Task Watched(Task task)
    {
        try
        {
            await task;
        }
        catch (OperationCanceledException)
        {
            // The loop is over.
        }
        catch (Exception failure)
        {
            // A fault of ours: it ends the loop, which says so.
            Post(_ => throw new InvalidOperationException("a task of the publisher failed", failure));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            PublishingEventIds.TorGone, LogLevel.Warning,
            "No connection to tor: {Reason}. What is published stays as it is; tried again in {Seconds} s")]
        public static partial void TorGone(ILogger logger, string reason, double seconds);

        [LoggerMessage(PublishingEventIds.ClockSkew, LogLevel.Warning, "tor says that this machine's clock is wrong: {What} ({Seconds} s)")]
        public static partial void ClockSkew(ILogger logger, string what, string seconds);
    }
}
