using System.Collections.Concurrent;
using System.Net;

namespace TorBalancer.Transport;

/// <summary>Remembers for some seconds which addresses are this machine's: asking takes a socket.</summary>
internal sealed class LocalAddressCache(TimeProvider time)
{
    private const int MostAddresses = 4096;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<IPAddress, (bool IsLocal, long At)> _known = new();

    /// <inheritdoc cref="LocalAddress.Is"/>
    public bool Has(IPAddress address)
    {
        long now = time.GetTimestamp();
        if (_known.TryGetValue(address, out var known) && time.GetElapsedTime(known.At, now) < Lifetime)
            return known.IsLocal;

        // Clients choose them: there may be any number.
        if (_known.Count >= MostAddresses)
            _known.Clear();
        bool isLocal = LocalAddress.Is(address);
        _known[address] = (isLocal, now);
        return isLocal;
    }
}
