using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Transport;

/// <summary>What a socket is bound to before it connects, so that it cannot leave by any other way.</summary>
/// <param name="Address">Our own address; null: the kernel chooses.</param>
/// <param name="Interface">The only interface that it may use (SO_BINDTODEVICE, socket(7)); null: any.</param>
internal readonly record struct SocketBinding(IPAddress? Address, string? Interface)
{
    /// <summary>
    /// Binds, or throws <see cref="SocketException"/>: the interface or the address is not there, or binding to an interface
    /// is not permitted (before Linux 5.7 it needs CAP_NET_RAW). There is no way on for a socket that could not be bound.
    /// </summary>
    public void Apply(Socket socket)
    {
        if (Interface is { Length: > 0 } name)
            socket.SetRawSocketOption(OptionNumbers.SolSocket, OptionNumbers.SoBindToDevice, Encoding.ASCII.GetBytes(name + '\0'));
        if (Address is not null)
            socket.Bind(new IPEndPoint(Address, 0));
    }

    /// <summary>Success, or what binding a socket to the interface alone fails with.</summary>
    public static SocketError TryInterface(string name)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            new SocketBinding(null, name).Apply(socket);
            return SocketError.Success;
        }
        catch (SocketException failure)
        {
            return failure.SocketErrorCode;
        }
    }
}
