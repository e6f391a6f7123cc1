using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace TorBalancer.Daemon.Takeover;

/// <summary>Who is at the other end of a unix socket (SO_PEERCRED, unix(7)): as the kernel saw it when it connected.</summary>
/// <param name="ProcessId">Its number, in our namespace of processes.</param>
/// <param name="UserId">Its effective user id.</param>
internal readonly record struct PeerCredentials(int ProcessId, uint UserId)
{
    private const int SolSocket = 1, PeerCred = 17;

    /// <summary>Throws <see cref="SocketException"/> where the socket is none of these.</summary>
    public static PeerCredentials Of(Socket socket)
    {
        // struct ucred: pid, uid, gid.
        Span<byte> bytes = stackalloc byte[12];
        socket.GetRawSocketOption(SolSocket, PeerCred, bytes);
        return new PeerCredentials(MemoryMarshal.Read<int>(bytes), MemoryMarshal.Read<uint>(bytes[4..]));
    }
}
