using TorBalancer.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols.Http;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// How much memory a configuration lets the daemon come to, the kernel's buffers for its sockets not counted but for what an idle one has.
/// Where the process has a limit (<see cref="MemoryRoom"/>) clients wait before they come that far.
/// </summary>
/// <param name="Clients">At one time.</param>
/// <param name="Own">Bytes whatever clients do: the daemon's own, fetches of the admin API, passwords that are verified.</param>
/// <param name="Idle">Bytes of all clients while they are silent.</param>
/// <param name="Most">Bytes of all clients when each holds as much as it can.</param>
internal sealed record MemoryBound(long Clients, long Own, long Idle, long Most)
{
    /// <summary>Bytes that yescrypt takes while it computes one, as crypt(3) makes hashes by default.</summary>
    public const long OfAPassword = 16 << 20;

    /// <summary>
    /// Bytes that one client can make the daemon hold: a request's head and its answer's, each as it came, in a buffer that was doubled
    /// for it, and apart; and what both sides may send ahead, in buffers of the same kind.
    /// </summary>
    public const long MostOfAClient =
        MemoryRoom.OfATlsClient + (2 * 3 * (long)HttpLimits.HeadBytes) + (2 * 2 * (long)HttpLimits.ReadAheadBytes);

    /// <param name="descriptors">RLIMIT_NOFILE of the daemon.</param>
    public static MemoryBound Of(TorBalancerOptions options, long descriptors)
    {
        long room = Math.Max(0, descriptors - Math.Max(DescriptorBudget.LeastReserve, descriptors / 20)) / DescriptorBudget.OfAClient;
        long clients = options.Listeners.Any(static listener => listener.MaxConnections == 0)
            ? room
            : Math.Min(room, options.Listeners.Sum(static listener => (long)listener.MaxConnections + ListenerPlaces.MostRefused));

        // Which listener they come by is theirs to choose.
        long each = options.Listeners.Any(static listener => listener.Tls is not null) ? MemoryRoom.OfATlsClient : MemoryRoom.OfAClient;
        bool verifies = options.Listeners.Any(static listener => listener.Auth != ListenerAuth.None);
        long own = MemoryRoom.Own + options.Admin.FetchMemory + (verifies ? PasswordHashing.MaxThreads * OfAPassword : 0);
        return new MemoryBound(clients, own, clients * each, clients * MostOfAClient);
    }
}
