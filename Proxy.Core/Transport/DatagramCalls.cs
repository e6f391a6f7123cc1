using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using TorBalancer.Interop;

namespace TorBalancer.Transport;

/// <summary>Datagrams whose own address is said with each. 64-bit Linux only.</summary>
internal static unsafe partial class DatagramCalls
{
    private const int IpProtoIp = 0, IpPacketInformation = 8, IpProtoIpV6 = 41, IpV6PacketInformation = 50;

    private const int DontWait = 0x40;

    // struct in_pktinfo (ip(7)): interface 4 | local address 4 | address in the header 4
    // struct in6_pktinfo (ipv6(7)): address 16 | interface 4
    private const int InformationBytes = 12, InformationBytesV6 = 20;

    /// <summary>
    /// Sends one datagram from an address of this machine, whatever route leads to the peer. Gives 0, or the error number: there was no
    /// room for it (<see cref="Errno.TryAgain"/>), or the address is none of this machine's any more.
    /// </summary>
    /// <param name="socket">Bound to no address, or to <paramref name="from"/>.</param>
    /// <param name="peer">Of the socket's family: of a socket for both, IPv4 is mapped into IPv6.</param>
    /// <param name="from">Of the peer's version, mapped or not.</param>
    /// <param name="device">The interface's number, which addresses of one link are told apart by.</param>
    public static int SendFrom(Socket socket, ReadOnlySpan<byte> bytes, IPEndPoint peer, IPAddress from, int device)
    {
        var to = peer.Serialize();
        byte* control = stackalloc byte[SocketMessage.HeaderBytes + 24];
        var data = new Span<byte>(control + SocketMessage.HeaderBytes, 24);
        data.Clear();
        bool isV6 = socket.AddressFamily == AddressFamily.InterNetworkV6;
        *(nuint*)control = (nuint)(SocketMessage.HeaderBytes + (isV6 ? InformationBytesV6 : InformationBytes));
        *(int*)(control + 8) = isV6 ? IpProtoIpV6 : IpProtoIp;
        *(int*)(control + 12) = isV6 ? IpV6PacketInformation : IpPacketInformation;
        if (isV6)
        {
            (from.AddressFamily == AddressFamily.InterNetwork ? from.MapToIPv6() : from).TryWriteBytes(data, out _);
            if (from.IsIPv6LinkLocal)
                MemoryMarshal.Write(data[16..], device);
        }
        else
        {
            (from.IsIPv4MappedToIPv6 ? from.MapToIPv4() : from).TryWriteBytes(data[4..], out _);
        }

        fixed (byte* start = bytes, name = to.Buffer.Span)
        {
            var part = new SocketMessagePart { Base = start, Length = (nuint)bytes.Length };
            var message = new SocketMessage
            {
                Name = name,
                NameLength = (uint)to.Size,
                Parts = &part,
                PartCount = 1,
                Control = control,
                ControlLength = (nuint)(SocketMessage.HeaderBytes + (isV6 ? 24 : 16)),
            };
            int error;
            do
                error = SendMessage(socket.SafeHandle, &message, DontWait) < 0 ? Marshal.GetLastPInvokeError() : 0;
            while (error == Errno.Interrupted);
            return error;
        }
    }

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessage(SafeHandle socket, SocketMessage* message, int flags);
}
