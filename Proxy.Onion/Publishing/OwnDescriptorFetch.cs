namespace TorBalancer.Onion.Publishing;

/// <summary>
/// Fetching the descriptor of a service's own address. tor asks one directory after the other and says what each of them answered, but not
/// when it gives up: some silence after the last answer is the end.
/// </summary>
internal sealed class OwnDescriptorFetch
{
    private bool _isWanted = true;
    private string? _asked;

    /// <summary>True until tor was asked.</summary>
    public bool IsWanted => _isWanted;

    public bool IsUnderWay => EndsAt is not null;

    /// <summary>True when there is an answer, or there will be none.</summary>
    public bool IsOver => !_isWanted && EndsAt is null;

    /// <summary>When nothing more is expected; null: none is under way.</summary>
    public DateTimeOffset? EndsAt { get; private set; }

    /// <summary>Asks for another one.</summary>
    public void Want() => _isWanted = true;

    public void Begins(DateTimeOffset now, PublishTiming timing) =>
        (_isWanted, EndsAt, _asked) = (false, now + timing.FetchTimeout, null);

    /// <summary>tor asks this directory now.</summary>
    public void Asks(string fingerprint) => _asked = fingerprint;

    /// <summary>True for the directory whose answer is waited for.</summary>
    public bool IsAsking(string fingerprint) => EndsAt is not null && _asked == fingerprint;

    /// <summary>A directory did not have it.</summary>
    public void Missed(DateTimeOffset now, PublishTiming timing)
    {
        _asked = null;
        if (EndsAt is not null)
            EndsAt = now + timing.FetchSilence;
    }

    /// <summary>It came, or is of no use any more.</summary>
    public void Ends() => EndsAt = null;

    /// <summary>Lets time pass.</summary>
    public void Pass(DateTimeOffset now, PublishTiming timing)
    {
        if (EndsAt is { } ends && WallClock.IsDue(ends, timing.FetchTimeout, now))
            EndsAt = null;
    }
}
