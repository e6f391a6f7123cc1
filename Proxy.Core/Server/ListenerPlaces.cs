using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// The places of one listener for clients: MaxConnections of them, and for each the descriptors that were promised when it was accepted.
/// </summary>
/// <param name="descriptors">Where the descriptors go back to.</param>
internal sealed class ListenerPlaces(DescriptorBudget descriptors)
{
    private int _taken;

    /// <summary>False when all are taken.</summary>
    /// <param name="most">[Listener] MaxConnections; 0: there is no limit.</param>
    public bool TryTake(int most)
    {
        if (Interlocked.Increment(ref _taken) <= most || most == 0)
            return true;
        Interlocked.Decrement(ref _taken);
        return false;
    }

    /// <summary>A client has left: its descriptors go back with its place.</summary>
    public void GiveBack()
    {
        Interlocked.Decrement(ref _taken);
        descriptors.Return(DescriptorBudget.OfAClient);
    }
}
