namespace TorBalancer.Transport;

/// <summary>What a tunnel may be told.</summary>
/// <param name="Control">Where bytes are counted while it runs, and how it is told to end.</param>
/// <param name="IdleTimeout">Ends the tunnel after this long without a byte either way; zero: never.</param>
public readonly record struct TunnelSettings(TunnelControl Control, TimeSpan IdleTimeout)
{
    /// <summary>
    /// How long ago a byte of the worker's may have come to be taken for an answer that the client has yet to read.
    /// </summary>
    internal static readonly TimeSpan RecentAnswer = TimeSpan.FromSeconds(5);

    /// <summary>How often a tunnel without a loop's timers looks whether it is idle.</summary>
    internal TimeSpan IdleStep =>
        IdleTimeout / 4 is var step && step < TimeSpan.FromMilliseconds(50) ? TimeSpan.FromMilliseconds(50) : step;

    /// <summary>
    /// When only the worker's side is cut, and the client has yet to read an answer, its connection stays open and the owner is to
    /// end it: in order behind <see cref="TunnelEnd.UpstreamClosed"/>, by a reset behind <see cref="TunnelEnd.UpstreamReset"/>, and not
    /// before the answer has been read. A reset that is sent while the client still sends would make it fail before it looks. False:
    /// the tunnel resets both sides, as it does in all other cases.
    /// </summary>
    public bool LeavesClient { get; init; }
}
