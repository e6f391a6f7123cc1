using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Transport;

/// <summary>Tells which addresses are this machine's, in the network that this process sees.</summary>
internal static class LocalAddress
{
    /// <summary>
    /// Asks the kernel which address it would speak to this one from: to one of its own it is that one itself. Nothing is sent. (That one
    /// can be bound to it would prove nothing: see ip_nonlocal_bind in ip(7).)
    /// </summary>
    public static bool Is(IPAddress address)
    {
        if (IPAddress.IsLoopback(address))
            return true;
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(new IPEndPoint(address, 9));
            return socket.LocalEndPoint is IPEndPoint { Address: var own } && own.Equals(address);
        }
        catch (SocketException)
        {
            // No way leads there.
            return false;
        }
    }
}
