namespace TorBalancer.Connecting;

// What a daemon that takes over needs to know of sessions.
internal sealed partial class SessionTable
{
    /// <summary>A copy of everything that is known; circuits that are kept ready for a next epoch are not part of it.</summary>
    public SessionTableState Export()
    {
        long now = time.GetTimestamp();
        lock (_lock)
        {
            return new SessionTableState
            {
                LastEpoch = _lastEpoch,
                LastId = _lastId,
                RotatedAll = StateOf(_rotatedAll, now),
                Rotated = _rotated.ToDictionary(static one => one.Key, one => StateOf(one.Value, now), StringComparer.Ordinal),
                Sessions = [.. _limited.Values.Concat(_plain.Values).Select(one => StateOf_NeedsLock(one, now))],
            };
        }
    }

    /// <summary>
    /// Goes on with what another process of ours knew. For a table that nobody has used yet; it may come again, with what has changed
    /// since.
    /// </summary>
    public void Adopt(SessionTableState state)
    {
        long now = time.GetTimestamp();
        lock (_lock)
        {
            (_lastEpoch, _lastId) = (state.LastEpoch, state.LastId);
            _rotatedAll = Of(state.RotatedAll, now);
            _rotated.Clear();
            foreach (var (mark, rotation) in state.Rotated)
                _rotated[mark] = Of(rotation, now);
            foreach (var one in state.Sessions)
            {
                var session = new Session(one.Id, one.Name, one.Key)
                {
                    Epoch = one.Epoch,
                    Base = one.Base,
                    Window = one.Window,
                    Started = Before(now, one.AgeMs),
                    LastUsed = Before(now, one.IdleMs),
                    Uses = one.Uses,
                    Lifetime = one.LifetimeMs is { } lifetime ? TimeSpan.FromMilliseconds(lifetime) : null,
                    MaxUses = one.MaxUses,
                    Port = one.Port,
                    IsRotated = one.IsRotated,
                };
                if (one.WorkerId is { } worker)
                    session.CarriedBy(worker);
                (one.LifetimeMs is not null || one.MaxUses is not null ? _limited : _plain)[one.Key] = session;
            }
        }
    }

    private SessionState StateOf_NeedsLock(Session session, long now) => new(session.Id, session.Name, session.Key)
    {
        Epoch = session.Epoch,
        Base = session.Base,
        Window = session.Window,
        AgeMs = time.GetElapsedTime(session.Started, now).TotalMilliseconds,
        IdleMs = time.GetElapsedTime(session.LastUsed, now).TotalMilliseconds,
        Uses = session.Uses,
        LifetimeMs = session.Lifetime?.TotalMilliseconds,
        MaxUses = session.MaxUses,
        Port = session.Port,
        WorkerId = session.WorkerId,
        IsRotated = session.IsRotated,
    };

    private RotationState StateOf(Rotation rotation, long now) =>
        new(rotation.Epoch, rotation.At, rotation.Epoch == 0 ? 0 : time.GetElapsedTime(rotation.Since, now).TotalMilliseconds);

    private Rotation Of(RotationState state, long now) => new(state.Epoch, state.At, state.Epoch == 0 ? 0 : Before(now, state.AgeMs));

    /// <summary>The timestamp of so long ago.</summary>
    private long Before(long now, double milliseconds) => now - (long)(milliseconds / 1000 * time.TimestampFrequency);
}

/// <summary>What a <see cref="SessionTable"/> knows.</summary>
internal sealed record SessionTableState
{
    public long LastEpoch { get; init; }

    public long LastId { get; init; }

    public required RotationState RotatedAll { get; init; }

    /// <summary>By session name, or by the key of one session.</summary>
    public required IReadOnlyDictionary<string, RotationState> Rotated { get; init; }

    public required IReadOnlyList<SessionState> Sessions { get; init; }

    /// <summary>Its sessions as they are, whenever one looks: for <see cref="Without"/> of a later state.</summary>
    public IReadOnlySet<SessionState> Known() => Sessions.Select(static one => one.Timeless()).ToHashSet();

    /// <summary>Of the sessions only those that are new, or others than they were.</summary>
    /// <param name="known">Of an earlier state.</param>
    public SessionTableState Without(IReadOnlySet<SessionState> known) =>
        this with { Sessions = [.. Sessions.Where(one => !known.Contains(one.Timeless()))] };
}

/// <param name="Epoch">0: there was none.</param>
/// <param name="At">When, in Unix milliseconds.</param>
/// <param name="AgeMs">How long ago that was, milliseconds.</param>
internal sealed record RotationState(long Epoch, long At, double AgeMs);

/// <summary>A session; see <see cref="Session"/>. Times are ages in milliseconds, because no two processes share a clock's zero.</summary>
internal sealed record SessionState(string Id, string Name, string Key)
{
    public long Epoch { get; init; }

    public long Base { get; init; }

    public long Window { get; init; }

    public double AgeMs { get; init; }

    public double IdleMs { get; init; }

    public int Uses { get; init; }

    public double? LifetimeMs { get; init; }

    public int? MaxUses { get; init; }

    public int? Port { get; init; }

    public string? WorkerId { get; init; }

    public bool IsRotated { get; init; }

    /// <summary>Without what changes by itself.</summary>
    public SessionState Timeless() => this with { AgeMs = 0, IdleMs = 0 };
}
