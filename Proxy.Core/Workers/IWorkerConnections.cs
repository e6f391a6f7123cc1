namespace TorBalancer.Workers;

/// <summary>The live connections of workers, as far as health may act on them.</summary>
internal interface IWorkerConnections
{
    /// <summary>
    /// Ends every tunnel through a worker whose process or host is gone: it would hang until TCP notices, which can take
    /// hours. Tunnels of a worker that is only draining are not to be ended. Gives how many there were.
    /// </summary>
    int EndTunnels(string workerId);
}
