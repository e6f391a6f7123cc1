using System.Net.Sockets;

namespace TorBalancer.Transport.Sockets;

/// <summary>How many sockets an engine has open for connections, and whether the budget lets it have one more.</summary>
internal sealed class OpenSockets
{
    private readonly DescriptorBudget _descriptors;
    private int _count;

    public OpenSockets(DescriptorBudget descriptors)
    {
        _descriptors = descriptors;
        descriptors.Add(() => Volatile.Read(ref _count), static () => { });
    }

    /// <summary>
    /// One that is to be connected. Counted from now on, whatever is thrown: the budget must not take it for another's. Throws
    /// <see cref="SocketException"/> when it took a descriptor that such a one may not have.
    /// </summary>
    /// <param name="isService">It may take a descriptor of the reserve.</param>
    public void Connecting(Socket socket, bool isService)
    {
        Interlocked.Increment(ref _count);
        int fd = NumberOf(socket);
        if (!(isService ? _descriptors.MayProbeHave(fd) : _descriptors.MayTrafficHave(fd)))
            throw new SocketException((int)SocketError.TooManyOpenSockets);
    }

    /// <summary>
    /// One that was accepted. It is served, or told that it cannot be: what matters is that no further one is promised room.
    /// </summary>
    public void Accepted(Socket socket)
    {
        _ = _descriptors.MayTrafficHave(NumberOf(socket));
        Interlocked.Increment(ref _count);
    }

    /// <summary>One of them is closed.</summary>
    public void Closed() => Interlocked.Decrement(ref _count);

    private static int NumberOf(Socket socket) => OperatingSystem.IsWindows() ? 0 : (int)socket.Handle;
}
