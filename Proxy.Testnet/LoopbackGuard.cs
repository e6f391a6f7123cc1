using System.Net;

namespace TorBalancer.Testnet;

/// <summary>Keeps the test network's own servers on loopback.</summary>
internal static class LoopbackGuard
{
    /// <summary>Throws <see cref="ArgumentException"/> for an address that others could reach.</summary>
    public static void Require(IPEndPoint address)
    {
        if (!IPAddress.IsLoopback(address.Address))
            throw new ArgumentException($"{address} is not a loopback address; the test network never leaves loopback", nameof(address));
    }
}
