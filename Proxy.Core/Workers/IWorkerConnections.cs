namespace TorBalancer.Workers;

/// <summary>The live connections of workers, as far as health may act on them.</summary>
internal interface IWorkerConnections
{
    /// <summary>
    /// Ends every tunnel through a worker whose process is known to be gone. Tunnels of a worker that is only draining or takes
    /// nothing new are not to be ended. Gives how many there were.
    /// </summary>
    int EndTunnels(string workerId);

    /// <summary>True when a worker has tunnels that <see cref="EndSilent"/> may end, now or later.</summary>
    /// <param name="onlyOverLink">Only those that go over its WireGuard link.</param>
    bool HasTunnels(string workerId, bool onlyOverLink);

    /// <summary>
    /// Ends every tunnel through a worker that has moved no byte, either way, for so long; one that never moved any is ended too.
    /// Gives how many there were.
    /// </summary>
    /// <param name="onlyOverLink">Only those that go over its WireGuard link.</param>
    int EndSilent(string workerId, bool onlyOverLink, TimeSpan silence);
}
