namespace TorBalancer.Workers;

/// <summary>The live connections of workers, as far as health may act on them.</summary>
internal interface IWorkerConnections
{
    /// <summary>
    /// Ends every tunnel through a worker whose process is known to be gone. Tunnels of a worker that is only draining or takes
    /// nothing new are not to be ended. Gives how many there were.
    /// </summary>
    int EndTunnels(string workerId);

    /// <summary>Notes how much every tunnel through a worker has moved by now; null when there are none, or they are never to be ended.</summary>
    /// <param name="onlyOverLink">Only those that go over its WireGuard link.</param>
    IWorkerTunnels? Note(string workerId, bool onlyOverLink);
}

/// <summary>Tunnels through one worker, and how much they had moved when they were looked at. Used by one thread at a time.</summary>
internal interface IWorkerTunnels
{
    /// <summary>
    /// Ends those that have not moved one byte, either way, since they were looked at; the others are looked at anew. Gives how
    /// many were ended.
    /// </summary>
    int EndSilent();
}
