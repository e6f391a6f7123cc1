namespace TorBalancer.Connecting;

/// <summary>One session as the table knows it. Everything but the worker and the mark is written under the table's lock.</summary>
internal sealed class Session(string id, string name, string key)
{
    private string? _workerId;
    private PreparedSuccessor? _successor;
    private long _epoch;
    private volatile bool _isRotated;

    /// <summary>Names it in views and commands without telling what the client called it.</summary>
    public string Id { get; } = id;

    /// <summary>As in <c>session-NAME</c>.</summary>
    public string Name { get; } = name;

    /// <summary>What makes it one: listener, client, user and name, as far as isolation counts them.</summary>
    public string Key { get; } = key;

    /// <summary>Goes into the isolation token: another epoch, another circuit.</summary>
    public long Epoch
    {
        get => Volatile.Read(ref _epoch);
        set => Volatile.Write(ref _epoch, value);
    }

    /// <summary>What the clock, the name and rotations alone say of the epoch; it begins anew when this changes.</summary>
    public long Base { get; set; }

    /// <summary>When the life-time began that holds now, in Unix milliseconds; 0: it has none.</summary>
    public long Window { get; set; }

    /// <summary>When this epoch began here, a timestamp.</summary>
    public long Started { get; set; }

    /// <summary>When its life-time is over; null: it has none.</summary>
    public DateTimeOffset? Ends => Window == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(Window) + Lifetime;

    public long LastUsed { get; set; }

    /// <summary>Connections of this epoch.</summary>
    public int Uses { get; set; }

    /// <summary>As last asked for; null: without limit.</summary>
    public TimeSpan? Lifetime { get; set; }

    /// <summary>As last asked for; null: without limit.</summary>
    public int? MaxUses { get; set; }

    /// <summary>The listener's port whose session it is; null: that of a name.</summary>
    public int? Port { get; set; }

    /// <summary>The worker that carried its latest connection; null before the first.</summary>
    public string? WorkerId => Volatile.Read(ref _workerId);

    /// <summary>True from a rotation until the next use: what is open lives on, and nothing new may join it.</summary>
    public bool IsRotated
    {
        get => _isRotated;
        set => _isRotated = value;
    }

    /// <summary>The circuit that is kept ready for the next epoch; null: none yet.</summary>
    public PreparedSuccessor? Successor => Volatile.Read(ref _successor);

    /// <summary>Puts another in its place and lets it go. False: it was not there any more.</summary>
    public bool ReplaceSuccessor(PreparedSuccessor? expected, PreparedSuccessor? next)
    {
        if (Interlocked.CompareExchange(ref _successor, next, expected) != expected)
            return false;
        expected?.Kept.Dispose();
        return true;
    }

    public void CarriedBy(string workerId) => Volatile.Write(ref _workerId, workerId);
}

/// <summary>One connection's use of a session.</summary>
internal readonly record struct SessionUse(Session Session, long Epoch)
{
    /// <summary>True when the session has moved on since: no further request may share this use's circuit.</summary>
    public bool IsOver => Session.IsRotated || Session.Epoch != Epoch;

    /// <summary>
    /// True when a further request may share this use's circuit: neither its life-time nor its uses are limited, and it is not over.
    /// </summary>
    public bool MayBeShared => Session is { Lifetime: null, MaxUses: null } && !IsOver;
}

/// <summary>A copy of a session for views.</summary>
/// <param name="Age">Since its circuit was first asked for.</param>
/// <param name="Idle">Since its latest connection.</param>
/// <param name="Uses">Connections since then.</param>
/// <param name="ExpiresIn">Until its life-time is over; zero: it is; null: it has none.</param>
/// <param name="UsesLeft">Connections until its count is over; null: it has none.</param>
/// <param name="Port">The listener's port whose session it is; null: that of a name.</param>
internal sealed record SessionInfo(
    string Id, string Name, string? WorkerId, TimeSpan Age, TimeSpan Idle, int Uses, TimeSpan? ExpiresIn, int? UsesLeft, int? Port);
