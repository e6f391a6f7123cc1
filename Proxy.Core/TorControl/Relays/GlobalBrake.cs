using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Says when nobody may be blamed: when so much fails that it is our own network, the guard, the worker, or an attack,
/// rather than one exit. Not for several threads.
/// </summary>
internal sealed class GlobalBrake(TimeProvider time)
{
    /// <summary>What is judged together.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(60);

    /// <summary>After NOPATH the list was too wide; blaming at once again would only repeat it.</summary>
    internal static readonly TimeSpan NoPathPause = TimeSpan.FromMinutes(5);

    /// <summary>So many relays in a row that could not be reached, with none reached in between, are our own network.</summary>
    private const int MinLinkFailures = 3;

    /// <summary>Fewer streams than this are no statistics.</summary>
    private const int MinStreams = 6;

    /// <summary>Failures at one or two exits are what the list is for.</summary>
    private const int MinFailingExits = 3;

    private const int MaxOutcomes = 512;

    private readonly Queue<(long Time, string Exit, bool Failed)> _outcomes = new();
    private bool _networkDown;
    private int _linkFailures;
    private long _lastLinkFailure;
    private long? _noPath;

    public bool IsNetworkLive => !_networkDown;

    public void SetLiveness(bool isLive) => _networkDown = !isLive;

    /// <summary>Tor found no path while relays were excluded.</summary>
    public void NoPath() => _noPath = time.GetTimestamp();

    /// <summary>True while the pause after that lasts.</summary>
    public bool IsPathLost => _noPath is { } at && time.GetElapsedTime(at) <= NoPathPause;

    public void Link(OrConnStatus status)
    {
        if (status == OrConnStatus.Connected)
            _linkFailures = 0;
        else if (status == OrConnStatus.Failed)
            (_linkFailures, _lastLinkFailure) = (_linkFailures + 1, time.GetTimestamp());
    }

    public void Stream(in StreamVerdict verdict)
    {
        Trim();
        if (_outcomes.Count == MaxOutcomes)
            _outcomes.Dequeue();
        _outcomes.Enqueue((time.GetTimestamp(), verdict.Exit.Fingerprint, verdict.Fault != StreamFault.None));
    }

    /// <summary>Why nobody may be blamed now; null: exits may be.</summary>
    public string? Reason()
    {
        if (_networkDown)
            return "tor says that the network is down";
        if (_linkFailures >= MinLinkFailures && time.GetElapsedTime(_lastLinkFailure) <= Window)
            return "no relay can be reached";
        if (IsPathLost)
            return "tor found no path with the exclusions in force";
        Trim();
        int failed = _outcomes.Count(static one => one.Failed);
        if (_outcomes.Count >= MinStreams && failed * 2 > _outcomes.Count
            && _outcomes.Where(static one => one.Failed).Select(static one => one.Exit).Distinct().Count() >= MinFailingExits)
        {
            return "most streams fail, over many exits";
        }

        return null;
    }

    /// <summary>A new connection to tor: what was seen before may be another process's.</summary>
    public void Clear()
    {
        _outcomes.Clear();
        _networkDown = false;
        _linkFailures = 0;
    }

    private void Trim()
    {
        while (_outcomes.TryPeek(out var first) && time.GetElapsedTime(first.Time) > Window)
            _outcomes.Dequeue();
    }
}
