using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Warm;
using TorBalancer.Workers;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Follows one worker's tor over its control port for as long as it runs, and reconnects when it is lost. One task takes in events and
/// hands them to whoever keeps something by them; another, the maintenance loop, sends commands: an event never waits for a command.
/// </summary>
internal sealed partial class CircuitWatcher : IAsyncDisposable
{
    private static readonly string[] EventNames =
        ["CIRC", "CIRC_MINOR", "STREAM", "ORCONN", "GUARD", "NETWORK_LIVENESS", "STATUS_CLIENT", "BUILDTIMEOUT_SET", "CONF_CHANGED"];

    private const int EventCapacity = 16_384;

    /// <summary>The longest that the maintenance loop waits: a look around costs nothing.</summary>
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(1);

    /// <summary>The shortest: a timer that falls due a hair early must not spin.</summary>
    private static readonly TimeSpan MinWait = TimeSpan.FromMilliseconds(10);

    private readonly ControlPortTarget _target;
    private readonly CircuitEpochs _epochs;
    private readonly RelayWatchTiming _timing;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CircuitTable _table;
    private readonly TorFactsRecorder _facts;
    private readonly ExitExclusion _exclusion;
    private readonly CircuitReplacement _replacement;
    private readonly CountryExits _countryExits;
    private readonly HopelessStreams _hopeless;
    private readonly TorLevel _level;
    private readonly WorkSignal _work;
    private readonly List<StreamVerdict> _verdicts = [];
    private readonly CancellationTokenSource _stop = new();
    private CircuitWarmer? _warmer;
    private TaskCompletionSource _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private volatile bool _isLeft;

    public CircuitWatcher(
        ControlPortTarget target, Live<BlacklistOptions> options, CircuitEpochs epochs, ExclusionMemory memory, RelayWatchTiming timing,
        TimeProvider time, ILogger logger)
    {
        _target = target;
        _epochs = epochs;
        _timing = timing;
        _time = time;
        _logger = logger;
        _work = new WorkSignal(time);
        _table = new CircuitTable(time);
        _facts = new TorFactsRecorder(timing.FactsWindow, time);
        _countryExits = new CountryExits(target.WorkerId, target.Country, logger);
        _exclusion = new ExitExclusion(target.WorkerId, options, _table, memory, timing, time, logger)
        {
            Choice = () => _countryExits.Count,
        };
        _replacement = new CircuitReplacement(target.WorkerId, options, _table, epochs, timing, time, logger);
        _level = new TorLevel(target.WorkerId, logger);
        _hopeless = new HopelessStreams(target.WorkerId, time, logger);
    }

    public string WorkerId => _target.WorkerId;

    /// <summary>What this tor says of itself now.</summary>
    public WorkerTorFacts Facts => _facts.Take(_table, _exclusion, _replacement) with
    {
        CountryExits = _countryExits.Count,
        Faults = _level.Faults,
        MayUseConflux = _level.MayUseConflux,
        Warm = _warmer is { IsOff: false } ? _warmer.Facts : null,
    };

    /// <summary>Which release it is; null: not known.</summary>
    public TorVersion? Version => _level.Version;

    /// <summary>The exits that it avoids now. Call <see cref="Nudge"/> after a change.</summary>
    public RelayBlacklist Blacklist => _exclusion.Blacklist;

    /// <summary>The same, for people.</summary>
    public IReadOnlyList<BlacklistView> BlacklistViews => _exclusion.Views;

    /// <inheritdoc cref="ExitExclusion.Forgive"/>
    public int Forgive(string? fingerprint)
    {
        int removed = _exclusion.Forgive(fingerprint);
        if (removed > 0)
            Nudge();
        return removed;
    }

    /// <param name="warming">Keeps circuits ready.</param>
    /// <param name="worker">Whose they are; told of them.</param>
    public void Start(CircuitWarming? warming, WorkerState worker)
    {
        _warmer = warming?.Create(worker, _facts.WhyNoCircuits);
        worker.Warm = _warmer;
        _running = RunAsync(_stop.Token);
    }

    /// <inheritdoc cref="ICircuitJoin.FindExit"/>
    public CircuitExit? FindExit(string? tokenPassword, int? localPort, string? target)
    {
        string? sent = tokenPassword is null ? null : _epochs.PasswordFor(WorkerId, tokenPassword);

        // A connection that was opened before the last rebuild still goes under its old password.
        return _table.FindExit(sent, localPort, target) ?? (
            sent == tokenPassword ? null : _table.FindExit(tokenPassword, localPort, target));
    }

    /// <summary>Tries the control port again at once, if it is waiting to, and looks whether something is due.</summary>
    public void Nudge()
    {
        Volatile.Read(ref _nudge).TrySetResult();
        _work.Set();
        _warmer?.Wake();
    }

    /// <inheritdoc cref="ExitExclusion.Export"/>
    public ExclusionState Export() => _exclusion.Export();

    /// <inheritdoc cref="ExitExclusion.Adopt"/>
    public void Adopt(ExclusionState state) => _exclusion.Adopt(state);

    /// <summary>Ends and leaves tor's options to another process, as they are.</summary>
    public ValueTask LeaveAsync()
    {
        _isLeft = true;
        return DisposeAsync();
    }

    /// <summary>Puts tor's options back and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _warmer?.Disconnect();
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        await Task.Yield();
        for (int attempt = 0; !cancellationToken.IsCancellationRequested; attempt++)
        {
            string problem;
            try
            {
                await using var control = await ControlConnection.ConnectAsync(
                    _target.EndPoint, _target.Credentials, ControlConnectionOptions.Default with { Binding = _target.Binding }, _logger,
                    _time, cancellationToken);
                await FollowAsync(control, () => attempt = 0, cancellationToken);
                problem = control.EndReason?.Message ?? "the connection ended";
            }
            catch (Exception failure) when (ControlFailures.IsExpected(failure))
            {
                problem = failure.Message;
                if (failure is ControlAuthenticationException && attempt == 0)
                    Log.WatchRefused(_logger, WorkerId, failure.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            Disconnected(problem);
            await WaitForNudgeAsync(_timing.Reconnect[Math.Min(attempt, _timing.Reconnect.Count - 1)], cancellationToken);
        }
    }

    private async Task WaitForNudgeAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        var nudge = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _nudge, nudge);
        try
        {
            await nudge.Task.WaitAsync(atMost, _time, cancellationToken);
        }
        catch (Exception failure) when (failure is TimeoutException or OperationCanceledException)
        {
        }
    }

    private async Task FollowAsync(ControlConnection control, Action connected, CancellationToken cancellationToken)
    {
        using var subscription = control.Subscribe(EventCapacity);
        await control.SetEventsAsync(EventNames, cancellationToken);
        await LoadAsync(control, cancellationToken);
        await _exclusion.LoadAsync(control, cancellationToken);
        _facts.Connected(control.Info.TorVersion);
        connected();
        Log.WatchConnected(_logger, WorkerId, control.Info.TorVersion);
        await _level.ConnectedAsync(control, cancellationToken);
        _countryExits.Connected();
        _work.Set();

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var maintaining = Task.WhenAll(
            MaintainAsync(control, stop.Token), _warmer?.RunAsync(control, stop.Token) ?? Task.CompletedTask);
        try
        {
            await foreach (var message in subscription.Events.ReadAllAsync(cancellationToken))
            {
                if (message is EventsLostEvent)
                    await ResynchronizeAsync(control, cancellationToken);
                else
                    Handle(message);
            }
        }
        finally
        {
            await stop.CancelAsync();
            try
            {
                await maintaining;
            }
            finally
            {
                if (cancellationToken.IsCancellationRequested && !_isLeft)
                    await _exclusion.RestoreAsync(control);
            }
        }
    }

    /// <summary>Quick, and waits for nothing.</summary>
    private void Handle(ControlEvent message)
    {
        _verdicts.Clear();
        _table.Apply(message, _verdicts);
        _facts.Observe(message);
        _warmer?.Observe(message);
        bool hasWork = _exclusion.Observe(message, _verdicts);
        hasWork |= _replacement.Observe(message, _verdicts);
        hasWork |= _countryExits.Observe(message);
        hasWork |= _hopeless.Observe(message);
        if (hasWork)
            _work.Set();
    }

    private async Task MaintainAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await _work.WaitAsync(NextWait(), cancellationToken);
                await _hopeless.EndAsync(control, cancellationToken);
                bool mayGather = await _exclusion.ListPendingAsync(control, cancellationToken);
                await _replacement.BeginPendingAsync(control, cancellationToken);
                if (mayGather)
                    await _exclusion.ListBatchAsync(control, cancellationToken);
                await _replacement.FinishAsync(control, cancellationToken);
                await _exclusion.UpdateAsync(control, cancellationToken);
                await _countryExits.UpdateAsync(control, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
        catch (ControlConnectionException)
        {
            // The task that reads events learns it too, and ends the connection's life.
        }
    }

    private TimeSpan NextWait()
    {
        var wait = MaxWait;
        if (_exclusion.UntilDue is { } exclusion && exclusion < wait)
            wait = exclusion;
        if (_replacement.UntilDue is { } replacement && replacement < wait)
            wait = replacement;
        return wait < MinWait ? MinWait : wait;
    }

    private async Task ResynchronizeAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        Log.Resynchronized(_logger, WorkerId);
        _hopeless.Clear();
        await LoadAsync(control, cancellationToken);
        await _exclusion.ReloadAsync(control, cancellationToken);
    }

    private async Task LoadAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        var values = await control.GetInfoAsync(
            ["circuit-status", "stream-status", "network-liveness", "status/bootstrap-phase"], cancellationToken);
        var (circuits, streams) = (Lines(values[0]), Lines(values[1]));
        _table.Load(circuits, streams);
        _warmer?.Load(circuits, streams);
        _exclusion.SetLiveness(values[2] != "down");
        _facts.SetLiveness(values[2] != "down");
        if (BootstrapStatus.Parse(values[3]) is { } bootstrap)
            _facts.SetBootstrap(bootstrap);

        static string[] Lines(string value) => value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Another process may answer next, and its ids begin anew.</summary>
    private void Disconnected(string problem)
    {
        bool was = _facts.Disconnected(problem);
        _table.Clear();
        _exclusion.Clear();
        _replacement.Clear();
        _hopeless.Clear();
        _warmer?.Disconnect();
        if (was && !_stop.IsCancellationRequested)
            Log.WatchLost(_logger, WorkerId, problem);
    }

    private static partial class Log
    {
        [LoggerMessage(RelayEventIds.WatchConnected, LogLevel.Information, "Worker {Worker}: its circuits are watched, tor {Version}")]
        public static partial void WatchConnected(ILogger logger, string worker, string version);

        [LoggerMessage(RelayEventIds.WatchLost, LogLevel.Warning, "Worker {Worker}: its control port is lost: {Problem}")]
        public static partial void WatchLost(ILogger logger, string worker, string problem);

        [LoggerMessage(RelayEventIds.WatchRefused, LogLevel.Warning, "Worker {Worker}: its control port does not let us in: {Problem}")]
        public static partial void WatchRefused(ILogger logger, string worker, string problem);

        [LoggerMessage(
            RelayEventIds.Resynchronized, LogLevel.Debug, "Worker {Worker}: events were lost; circuits and streams are asked for anew")]
        public static partial void Resynchronized(ILogger logger, string worker);
    }
}
