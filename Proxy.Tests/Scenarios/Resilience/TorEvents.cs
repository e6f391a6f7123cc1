using TorBalancer.Testnet.Nodes;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>A stream that was opened, as tor told it.</summary>
/// <param name="Target">host:port as the client asked for it.</param>
/// <param name="Circuit">Its circuit; where two carry it together (conflux), their set.</param>
/// <param name="Exit">The fingerprint of the circuit's last relay.</param>
/// <param name="Excluded">ExcludeExitNodes when the circuit was launched; of a conflux set, when its first leg was.</param>
internal sealed record OpenedStream(string Target, string Circuit, string Exit, string Excluded);

/// <summary>
/// Follows one tor on a control connection of its own: which exit each stream got, and what was excluded when its circuit
/// was made. Events come in the order in which things happened, so nothing here depends on time.
/// </summary>
internal sealed class TorEvents : IAsyncDisposable
{
    private const string Option = "ExcludeExitNodes";

    private readonly Lock _lock = new();
    private readonly ControlConnection _control;
    private readonly ControlSubscription _events;
    private readonly Dictionary<string, CircuitInfo> _circuits = [];

    // By circuit and by set: how many values the option had had.
    private readonly Dictionary<string, int> _launched = [];
    private readonly Dictionary<string, string> _asked = [];
    private readonly List<OpenedStream> _streams = [];
    private readonly List<string> _excluded = [];
    private readonly List<string> _ended = [];
    private Task _reading = Task.CompletedTask;

    private TorEvents(ControlConnection control)
    {
        _control = control;
        _events = control.Subscribe(65_536);
    }

    /// <summary>Every value that ExcludeExitNodes has had, in order.</summary>
    public IReadOnlyList<string> Excluded => Read(() => _excluded.ToArray());

    public static async Task<TorEvents> StartAsync(TestNode worker, CancellationToken token)
    {
        var events = new TorEvents(await WorkerControl.ConnectAsync(worker, token));
        await events._control.SetEventsAsync(["CIRC", "CIRC_MINOR", "STREAM", "CONF_CHANGED"], token);
        string excluded = (await events._control.GetConfAsync([Option], token))[0].Value ?? "";
        var circuits = await events._control.GetInfoLinesAsync("circuit-status", token);
        events.Begin(excluded, circuits);
        return events;
    }

    /// <summary>How circuits and streams ended, for messages.</summary>
    public IReadOnlyList<string> Ended => Read(() => _ended.ToArray());

    /// <summary>The latest stream to that target that tor has opened, or null.</summary>
    public OpenedStream? Find(string target) => Read(() => _streams.FindLast(one => one.Target == target));

    public async ValueTask DisposeAsync()
    {
        _events.Dispose();
        await _control.DisposeAsync();
        await _reading;
    }

    private T Read<T>(Func<T> value)
    {
        lock (_lock)
            return value();
    }

    private void Begin(string excluded, IEnumerable<string> circuits)
    {
        lock (_lock)
        {
            _excluded.Add(excluded);
            foreach (string line in circuits)
            {
                if (CircuitInfo.TryParse(line) is { } info)
                    Note_NeedsLock(info);
            }
        }

        _reading = ReadAsync();
    }

    private async Task ReadAsync()
    {
        await foreach (var message in _events.Events.ReadAllAsync())
        {
            lock (_lock)
            {
                if (message is CircuitEvent { Circuit: { Status: CircuitStatus.Closed or CircuitStatus.Failed } gone })
                    _ended.Add(
                        $"circuit {gone.Id} {gone.StatusText} {gone.Purpose} {gone.Reason} {gone.RemoteReason} set {gone.ConfluxId} "
                            + $"path {string.Join(',', gone.Path)}");
                else if (
                    message is StreamEvent { Stream: { Status: StreamStatus.Closed or StreamStatus.Failed or StreamStatus.Detached } left })
                    _ended.Add($"stream {left.Id} {left.StatusText} {left.Target} on {left.CircuitId} {left.Reason} {left.RemoteReason}");
                switch (message)
                {
                    case CircuitEvent { Circuit: var circuit }:
                        Note_NeedsLock(circuit);
                        break;
                    case CircuitMinorEvent { Circuit: var changed }:
                        Note_NeedsLock(changed);
                        break;
                    case ConfChangedEvent conf:
                        Note_NeedsLock(conf);
                        break;
                    case StreamEvent { Stream: { Status: StreamStatus.New } stream }:
                        // Later events show the address that the exit found.
                        _asked[stream.Id] = stream.Target;
                        break;
                    case StreamEvent
                    {
                        Stream: { Status: StreamStatus.Succeeded, CircuitId: { } id } stream,
                    } when _circuits.TryGetValue(id, out var carrier):
                        string target = _asked.GetValueOrDefault(stream.Id, stream.Target);
                        _streams.Add(
                            new OpenedStream(
                                target, SetOf(carrier), carrier.Path[^1].Fingerprint, _excluded[_launched[SetOf(carrier)] - 1]));
                        break;
                }
            }
        }
    }

    private void Note_NeedsLock(CircuitInfo info)
    {
        // An id says more with every event: the path grows, and a conflux set is told once its legs are linked.
        _launched.TryAdd(info.Id, _excluded.Count);
        if (info.ConfluxId is { } set)
            _launched[set] = Math.Min(_launched.GetValueOrDefault(set, int.MaxValue), _launched[info.Id]);
        if (info.Path.Count > 0)
            _circuits[info.Id] = info;
    }

    private void Note_NeedsLock(ConfChangedEvent conf)
    {
        foreach (var (key, value) in conf.Changes)
        {
            if (key.Equals(Option, StringComparison.OrdinalIgnoreCase))
                _excluded.Add(value ?? "");
        }
    }

    private static string SetOf(CircuitInfo circuit) => circuit.ConfluxId ?? circuit.Id;
}
