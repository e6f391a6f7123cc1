namespace TorBalancer.Transport;

/// <summary>
/// Whose tunnel it is. Not a task: idle tunnels are most of what a proxy holds, and a method that waits takes as much memory as
/// the rest of one.
/// </summary>
public interface ITunnelOwner
{
    /// <summary>Told once when it has ended, on whatever thread ended it; it must neither wait nor throw.</summary>
    /// <param name="how">Why it ended.</param>
    /// <param name="fault">Not null: it was cut, as <see cref="TunnelEnd.Aborted"/>, for a fault of ours.</param>
    void TunnelEnded(TunnelEnd how, Exception? fault = null);
}
