using System.Net;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration;
using TorBalancer.TorControl.Events;
using TorBalancer.Transport;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Follows one worker's tor over its control port for as long as it runs, and reconnects when it is lost. One task takes
/// in events, another sends commands: an event never waits for a command.
/// </summary>
internal sealed partial class CircuitWatcher : IAsyncDisposable
{
    private static readonly string[] EventNames =
        ["CIRC", "CIRC_MINOR", "STREAM", "ORCONN", "GUARD", "NETWORK_LIVENESS", "STATUS_CLIENT", "BUILDTIMEOUT_SET", "CONF_CHANGED"];

    private const int EventCapacity = 16_384;

    /// <summary>tor keeps fewer.</summary>
    private const int MaxGuards = 64;

    private readonly EndPoint _endPoint;
    private readonly SocketBinding _binding;
    private readonly ControlCredentials _credentials;
    private readonly BlacklistOptions _options;
    private readonly CircuitEpochs _epochs;
    private readonly RelayWatchTiming _timing;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly CircuitTable _table;
    private readonly ExitEvidence _evidence;
    private readonly GlobalBrake _brake;
    private readonly CircuitRebuilder _rebuilder;
    private readonly ExcludeNodesApplier _applier;
    private readonly SlidingCount _built, _noPath, _timeouts, _linkFailures;
    private readonly PathOutcomes _paths;
    private readonly Dictionary<string, RelayName> _guardsDown = new(StringComparer.Ordinal);
    private readonly List<StreamVerdict> _verdicts = [];
    private readonly Channel<Work> _work = Channel.CreateBounded<Work>(new BoundedChannelOptions(256) { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private bool _connected;
    private string? _problem = "not connected yet";
    private string _version = "";
    private string? _lastLinkFailure;
    private BootstrapStatus _bootstrap = BootstrapStatus.None;
    private TimeSpan? _buildTimeout;
    private DateTimeOffset _since;

    public CircuitWatcher(
        string workerId, EndPoint endPoint, ControlCredentials credentials, BlacklistOptions options, CircuitEpochs epochs,
        ExclusionMemory memory, RelayWatchTiming timing, Func<double> jitter, TimeProvider time, ILogger logger, SocketBinding binding = default)
    {
        _binding = binding;
        WorkerId = workerId;
        _endPoint = endPoint;
        _credentials = credentials;
        _options = options;
        _epochs = epochs;
        _timing = timing;
        _time = time;
        _logger = logger;
        _table = new CircuitTable(time);
        _evidence = new ExitEvidence(time, options.FailureThreshold);
        _brake = new GlobalBrake(time);
        _rebuilder = new CircuitRebuilder(workerId, epochs, options.FailureThreshold);
        _applier = new ExcludeNodesApplier(time, timing.MinChangeInterval, jitter, memory);
        Blacklist = new RelayBlacklist(options, time);
        _built = new SlidingCount(time, timing.FactsWindow);
        _noPath = new SlidingCount(time, timing.FactsWindow);
        _timeouts = new SlidingCount(time, timing.FactsWindow);
        _linkFailures = new SlidingCount(time, timing.FactsWindow);
        _paths = new PathOutcomes(time, timing.FactsWindow);
        _since = time.GetUtcNow();
    }

    public string WorkerId { get; }

    public RelayBlacklist Blacklist { get; }

    private bool Excludes => _options.Relays == "exits";

    public void Start() => _running = RunAsync(_stop.Token);

    /// <summary>Tries the control port again at once, if it is waiting to, and looks whether something is due.</summary>
    public void Nudge()
    {
        Volatile.Read(ref _nudge).TrySetResult();
        _work.Writer.TryWrite(Work.Wake.Up);
    }

    /// <summary>Puts tor's options back and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
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
                    _endPoint, _credentials, ControlConnectionOptions.Default with { Binding = _binding }, _logger, _time, cancellationToken);
                await FollowAsync(control, () => attempt = 0, cancellationToken);
                problem = control.EndReason?.Message ?? "the connection ended";
            }
            catch (Exception e) when (IsExpected(e))
            {
                problem = e.Message;
                if (e is ControlAuthenticationException && attempt == 0)
                    Log.WatchRefused(_logger, WorkerId, e.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            Disconnected(problem);
            await WaitAsync(_timing.Reconnect[Math.Min(attempt, _timing.Reconnect.Count - 1)], cancellationToken);
        }
    }

    private async Task WaitAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        var nudge = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _nudge, nudge);
        try
        {
            await nudge.Task.WaitAsync(pause, _time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
        }
    }

    private async Task FollowAsync(ControlConnection control, Action connected, CancellationToken cancellationToken)
    {
        using var subscription = control.Subscribe(EventCapacity);
        await control.SetEventsAsync(EventNames, cancellationToken);
        await LoadAsync(control, cancellationToken);
        if (await _applier.LoadAsync(control, cancellationToken))
            await RecoverAsync(control, cancellationToken);
        lock (_lock)
            (_connected, _problem, _version, _since) = (true, null, control.Info.TorVersion, _time.GetUtcNow());
        connected();
        Log.WatchConnected(_logger, WorkerId, control.Info.TorVersion);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var maintaining = MaintainAsync(control, stop.Token);
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
            await maintaining;
            if (cancellationToken.IsCancellationRequested)
                await RestoreAsync(control);
        }
    }

    private async Task ResynchronizeAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        Log.Resynchronized(_logger, WorkerId);
        await LoadAsync(control, cancellationToken);
        await _applier.LoadAsync(control, cancellationToken);
    }

    private async Task LoadAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        var values = await control.GetInfoAsync(["circuit-status", "stream-status", "network-liveness", "status/bootstrap-phase"], cancellationToken);
        lock (_lock)
        {
            _table.Load(Lines(values[0]), Lines(values[1]));
            _brake.SetLiveness(values[2] != "down");
            _bootstrap = BootstrapStatus.Parse(values[3]) ?? _bootstrap;
        }

        static string[] Lines(string value) => value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private void Disconnected(string problem)
    {
        bool was;
        lock (_lock)
        {
            was = _connected;
            _connected = false;
            _problem = problem;
            if (was)
                _since = _time.GetUtcNow();

            // Another process may answer next, and its ids begin anew.
            _table.Clear();
            _evidence.Clear();
            _brake.Clear();
            _rebuilder.Clear();
            _rebuilds.Clear();
            _paths.Clear();
            _guardsDown.Clear();
        }

        if (was && !_stop.IsCancellationRequested)
            Log.WatchLost(_logger, WorkerId, problem);
    }

    private static bool IsExpected(Exception e) =>
        e is ControlConnectionException or ControlAuthenticationException or ControlReplyException or ControlProtocolException or TimeoutException;

    private abstract record Work
    {
        public sealed record Wake : Work
        {
            public static readonly Wake Up = new();
        }

        public sealed record List(RelayName Relay, EvidenceView Evidence) : Work;

        public sealed record Rebuild(BrokenCircuit Broken) : Work;
    }
}
