using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// The places of one listener for clients: MaxConnections of them, a few for those that are refused, and for each the descriptors that
/// were promised when it was accepted.
/// </summary>
/// <param name="descriptors">Where the descriptors go back to.</param>
internal sealed class ListenerPlaces(DescriptorBudget descriptors)
{
    /// <summary>Clients that are told of their refusal at one time; further ones are cut.</summary>
    internal const int MostRefused = 64;

    private int _taken;
    private int _refused;
    private long _fullSaidAt;

    /// <summary>False when all are taken.</summary>
    /// <param name="most">[Listener] MaxConnections; 0: there is no limit.</param>
    public bool TryTake(int most)
    {
        if (most == 0)
        {
            Interlocked.Increment(ref _taken);
            return true;
        }

        return TryTake(ref _taken, most);
    }

    /// <summary>A place for a client that is only told of its refusal; false: there is none, and it is to be cut.</summary>
    public bool TryTakeForRefusal() => TryTake(ref _refused, MostRefused);

    /// <summary>True once a minute: a full listener turns many away, at all of its ports.</summary>
    public bool MaySayFull(TimeProvider time)
    {
        long now = time.GetTimestamp(), said = Interlocked.Read(ref _fullSaidAt);
        return (said == 0 || time.GetElapsedTime(said, now) >= TimeSpan.FromMinutes(1))
            && Interlocked.CompareExchange(ref _fullSaidAt, now, said) == said;
    }

    /// <summary>A client has left: its descriptors go back with its place.</summary>
    /// <param name="wasRefused">It had one of <see cref="TryTakeForRefusal"/>.</param>
    public void GiveBack(bool wasRefused)
    {
        Interlocked.Decrement(ref wasRefused ? ref _refused : ref _taken);
        descriptors.Return(DescriptorBudget.OfAClient);
    }

    /// <summary>Never more than so many, not even for a moment: another that comes then would be turned away for it.</summary>
    private static bool TryTake(ref int taken, int most)
    {
        int before = Volatile.Read(ref taken);
        while (before < most)
        {
            int seen = Interlocked.CompareExchange(ref taken, before + 1, before);
            if (seen == before)
                return true;
            before = seen;
        }

        return false;
    }
}
