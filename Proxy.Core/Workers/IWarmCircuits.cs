namespace TorBalancer.Workers;

/// <summary>
/// The clean circuits of one worker (built, nothing attached yet), as far as those who pick workers care. Called on the path of
/// connections: nothing in here waits or allocates, but for <see cref="ExpectSuccessor"/>.
/// </summary>
internal interface IWarmCircuits
{
    /// <summary>How many a new identity may take now; null: not known, because the control port is not connected.</summary>
    int? Clean { get; }

    /// <summary>A new identity is on its way to this worker: one less for the next, until tor says which it took.</summary>
    void Claim();

    /// <summary>The mode chose this worker for a new identity, which went elsewhere because there was no clean circuit.</summary>
    void Missed();

    /// <summary>A session will soon need another circuit: one more is to be there until then.</summary>
    /// <param name="within">How long it is waited for.</param>
    /// <returns>Disposed when the session has moved on. Null when none is kept for it.</returns>
    IDisposable? ExpectSuccessor(TimeSpan within);
}
