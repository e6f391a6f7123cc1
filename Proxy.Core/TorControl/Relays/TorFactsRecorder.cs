using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>Counts and remembers what one tor says of itself. Thread-safe.</summary>
/// <param name="window">What the counts span.</param>
internal sealed class TorFactsRecorder(TimeSpan window, TimeProvider time)
{
    /// <summary>tor keeps fewer.</summary>
    private const int MaxGuards = 64;

    private readonly Lock _lock = new();
    private readonly SlidingCount _built =
        new(time, window), _noPath = new(time, window), _timeouts = new(time, window), _linkFailures = new(time, window);
    private readonly PathOutcomes _paths = new(time, window);
    private readonly Dictionary<string, RelayName> _guardsDown = new(StringComparer.Ordinal);
    private bool _connected;
    private bool _isLive = true;
    private string? _problem = "not connected yet";
    private string _version = "";
    private BootstrapStatus _bootstrap = BootstrapStatus.None;
    private TimeSpan? _buildTimeout;

    public void Connected(string torVersion)
    {
        lock (_lock)
            (_connected, _problem, _version) = (true, null, torVersion);
    }

    /// <summary>True when it was connected. Another process may answer next: what belongs to this one goes.</summary>
    public bool Disconnected(string problem)
    {
        lock (_lock)
        {
            bool was = _connected;
            (_connected, _problem) = (false, problem);
            _paths.Clear();
            _guardsDown.Clear();
            return was;
        }
    }

    public void SetBootstrap(BootstrapStatus bootstrap)
    {
        lock (_lock)
            _bootstrap = bootstrap;
    }

    public void SetLiveness(bool isLive)
    {
        lock (_lock)
            _isLive = isLive;
    }

    /// <summary>Why this tor can build no circuits now; null: nothing says so.</summary>
    public string? WhyNoCircuits()
    {
        const int complete = 100;
        lock (_lock)
        {
            return !_isLive ? "tor says that the network is down"
                : _bootstrap.Progress < complete ? "tor has not started yet"
                : _paths.Trend.IsLost ? "tor finds no paths"
                : null;
        }
    }

    public void Observe(ControlEvent message)
    {
        lock (_lock)
            Observe_NeedsLock(message);
    }

    /// <summary>A copy of what is known now, with what the others know of this tor.</summary>
    public WorkerTorFacts Take(CircuitTable table, ExitExclusion exclusion, CircuitReplacement replacement)
    {
        var (circuits, streams) = table.Counts;
        string? brake = exclusion.BrakeReason;
        bool isLive = exclusion.IsNetworkLive;
        long rebuilds = replacement.Rebuilds;
        lock (_lock)
        {
            return new WorkerTorFacts
            {
                IsConnected = _connected,
                Problem = _problem,
                TorVersion = _version,
                Bootstrap = _bootstrap,
                IsNetworkLive = isLive,
                CircuitsBuilt = _built.Count,
                NoPath = _noPath.Count,
                CircuitTimeouts = _timeouts.Count,
                LinkFailures = _linkFailures.Count,
                Circuits = circuits,
                Streams = streams,
                BuildTimeout = _buildTimeout,
                Brake = brake,
                Rebuilds = rebuilds,
                Paths = _paths.Trend,
                GuardsDown = [.. _guardsDown.Values],
            };
        }
    }

    private void Observe_NeedsLock(ControlEvent message)
    {
        switch (message)
        {
            case CircuitEvent { Circuit: { Status: CircuitStatus.Failed, Reason: "NOPATH" } circuit }:
                _noPath.Add();

                // The second leg of a conflux set often finds none in a small network; it is not needed to get out.
                if (circuit.Purpose is not ("CONFLUX_UNLINKED" or "CONFLUX_LINKED"))
                    _paths.Add(found: false);
                break;
            case CircuitEvent { Circuit: { Status: CircuitStatus.Failed, Reason: "TIMEOUT" } }:
                _timeouts.Add();
                break;
            case CircuitEvent { Circuit: { Status: CircuitStatus.Built, Path.Count: >= 3 } }:
                _built.Add();
                _paths.Add(found: true);
                break;
            case OrConnEvent { Status: OrConnStatus.Failed }:
                _linkFailures.Add();
                break;
            case GuardEvent { Type: "ENTRY" } guard:
                ObserveGuard_NeedsLock(guard);
                break;
            case NetworkLivenessEvent liveness:
                _isLive = liveness.IsUp;
                break;
            case BuildTimeoutEvent { Timeout: { } timeout }:
                _buildTimeout = timeout;
                break;
            case StatusEvent status when BootstrapStatus.FromEvent(status) is { } bootstrap:
                _bootstrap = bootstrap;
                break;
        }
    }

    private void ObserveGuard_NeedsLock(GuardEvent guard)
    {
        if (guard.Status is GuardStatus.Down or GuardStatus.Bad)
        {
            if (_guardsDown.Count < MaxGuards)
                _guardsDown[guard.Relay.Fingerprint] = guard.Relay;
        }
        else if (guard.Status is GuardStatus.Up or GuardStatus.Good or GuardStatus.Dropped)
        {
            _guardsDown.Remove(guard.Relay.Fingerprint);
        }
    }
}
