using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>
/// Tunnels with their counters at one moment. Kept apart from the connections: most tunnels never need it, and an idle one
/// is to take little.
/// </summary>
internal sealed class NotedTunnels(IEnumerable<ClientConnection> connections) : IWorkerTunnels
{
    private readonly List<(ClientConnection Connection, long Moved)> _tunnels = [.. connections.Select(static one => (one, Moved(one)))];

    public int EndSilent()
    {
        int ended = 0;
        for (int i = _tunnels.Count - 1; i >= 0; i--)
        {
            var (connection, before) = _tunnels[i];
            long moved = Moved(connection);
            if (!connection.Context.IsTunnel)
            {
                _tunnels.RemoveAt(i);
            }
            else if (moved != before)
            {
                _tunnels[i] = (connection, moved);
            }
            else
            {
                _tunnels.RemoveAt(i);
                connection.Abort(TunnelEnd.WorkerGone);
                ended++;
            }
        }

        return ended;
    }

    private static long Moved(ClientConnection connection) => connection.Context.Counters.FromClient + connection.Context.Counters.FromUpstream;
}
