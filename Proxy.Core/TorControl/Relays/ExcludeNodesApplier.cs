using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Brings a set of relays into tor's ExcludeExitNodes. Every change makes tor give up all its unused circuits, so changes
/// are rare and come in batches. What the operator has set there stays and is put back at the end.
/// </summary>
/// <param name="minInterval">The least time between two changes.</param>
/// <param name="memory">What an earlier process left there, and what ours would leave.</param>
/// <param name="jitter">0 to 1; makes the interval up to a sixth longer, so that workers do not change in step.</param>
internal sealed class ExcludeNodesApplier(TimeProvider time, TimeSpan minInterval, Func<double> jitter, ExclusionMemory memory)
{
    internal const string Option = "ExcludeExitNodes";

    private const double MaxJitter = 1.0 / 6;
    private const int MaxRemembered = 4096;

    private readonly Lock _lock = new();

    // Everything that we ever put there: after a reconnect it is told from what the operator has.
    private readonly HashSet<string> _put = new(StringComparer.OrdinalIgnoreCase);
    private string _base = "";
    private string _inForce = "";
    private string? _sent;
    private HashSet<string> _applied = new(StringComparer.Ordinal);
    private long _lastChange;
    private TimeSpan _interval;

    /// <summary>True when relays of ours are excluded in tor now.</summary>
    public bool IsInForce
    {
        get
        {
            lock (_lock)
                return _applied.Count > 0;
        }
    }

    /// <summary>Everything that we ever put there.</summary>
    public IReadOnlyList<string> Put
    {
        get
        {
            lock (_lock)
                return [.. _put];
        }
    }

    /// <summary>What another process of ours has put there is ours. Before <see cref="LoadAsync"/>.</summary>
    public void Adopt(IEnumerable<string> put)
    {
        lock (_lock)
            _put.UnionWith(put);
    }

    /// <summary>How long until a change is allowed again; zero: now.</summary>
    public TimeSpan UntilAllowed
    {
        get
        {
            lock (_lock)
            {
                var left = _interval == default ? TimeSpan.Zero : _interval - time.GetElapsedTime(_lastChange);
                return left < TimeSpan.Zero ? TimeSpan.Zero : left;
            }
        }
    }

    /// <summary>
    /// On a new connection: asks what is set. True when that is what a process of ours left that was killed: then it is to
    /// be put back.
    /// </summary>
    public async Task<bool> LoadAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        var values = await control.GetConfAsync([Option], cancellationToken);
        string? value = values.Count == 0 ? null : values[^1].Value;
        lock (_lock)
        {
            bool isLeftBehind = IsLeftBehind_NeedsLock(value);
            Take_NeedsLock(value);
            return isLeftBehind;
        }
    }

    /// <summary>Somebody changed the option. Our own change comes back this way too.</summary>
    public void Changed(ConfChangedEvent change)
    {
        foreach (var (key, value) in change.Changes)
        {
            if (!key.Equals(Option, StringComparison.OrdinalIgnoreCase))
                continue;
            lock (_lock)
            {
                if ((value ?? "") != _sent)
                    Take_NeedsLock(value);
            }
        }
    }

    /// <summary>True when tor has something else than these relays.</summary>
    public bool Differs(IReadOnlyCollection<string> fingerprints)
    {
        lock (_lock)
            return !_applied.SetEquals(fingerprints);
    }

    /// <summary>
    /// Sets them, with the operator's value; an empty set gives back just that. Throws what the control connection throws.
    /// </summary>
    public async Task ApplyAsync(ControlConnection control, IReadOnlyCollection<string> fingerprints, CancellationToken cancellationToken)
    {
        string value;
        bool isOperators;
        lock (_lock)
        {
            value = Merge_NeedsLock(fingerprints);
            _sent = value;
            isOperators = value == _base;

            // Before tor is asked: whenever we are killed, one of the two values is what is found.
            if (!isOperators)
                memory.Write(new ExclusionRecord(_base, _inForce == _base ? [value] : [_inForce, value]));

            // Counted before it is tried: a tor that refuses is not asked again and again either.
            _lastChange = time.GetTimestamp();
            _interval = minInterval * (1 + (MaxJitter * jitter()));
        }

        if (value.Length == 0)
            await control.ResetConfAsync([new(Option, null)], cancellationToken);
        else
            await control.SetConfAsync([new(Option, value)], cancellationToken);
        lock (_lock)
        {
            if (_sent == value)
                (_applied, _inForce) = ([.. fingerprints], value);
        }

        if (isOperators)
            memory.Forget();
    }

    /// <summary>At the end: what the operator had. Nothing is sent when it is so already.</summary>
    public async Task<bool> RestoreAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // What was sent may have arrived although its answer was not waited for.
            if (_applied.Count == 0 && _inForce == _base && (_sent is null || _sent == _base))
                return false;
        }

        await ApplyAsync(control, [], cancellationToken);
        return true;
    }

    private string Merge_NeedsLock(IReadOnlyCollection<string> fingerprints)
    {
        var items = Items(_base);
        if (_put.Count > MaxRemembered)
            _put.Clear();
        foreach (string fingerprint in fingerprints)
        {
            string item = "$" + fingerprint;
            if (items.Contains(item, StringComparer.OrdinalIgnoreCase))
                continue;
            items.Add(item);
            _put.Add(item);
        }

        return string.Join(',', items);
    }

    /// <summary>
    /// Only a value that is exactly what we set counts. Whatever else is there was set since, by the operator or by tor's own
    /// start, and is his.
    /// </summary>
    private bool IsLeftBehind_NeedsLock(string? value)
    {
        // What this process set itself is known already.
        if (_put.Count > 0 || memory.Read() is not { } left)
            return false;
        string found = string.Join(',', Items(value ?? ""));
        if (!left.Ours.Contains(found, StringComparer.OrdinalIgnoreCase))
        {
            memory.Forget();
            return false;
        }

        _put.UnionWith(Items(found).Except(Items(left.OperatorValue), StringComparer.OrdinalIgnoreCase));
        return true;
    }

    private void Take_NeedsLock(string? value)
    {
        var items = Items(value ?? "");
        _inForce = string.Join(',', items);
        _applied = [.. items.Where(_put.Contains).Select(static item => item[1..].ToUpperInvariant())];
        items.RemoveAll(_put.Contains);
        _base = string.Join(',', items);
        _sent = null;
    }

    private static List<string> Items(string value) =>
        [.. value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
}
