namespace TorBalancer.Transport;

/// <summary>Hears of a connection that nobody reads for the moment; see <see cref="TransportConnection.TryObserve"/>.</summary>
internal interface IPeerObserver
{
    /// <summary>On the connection's own thread: the peer has sent something, has finished, or has broken the connection.</summary>
    /// <param name="hangUp">It has finished or broken it; bytes may have come as well.</param>
    void PeerStirred(bool hangUp);
}
