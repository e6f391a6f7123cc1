using System.Net;
using System.Net.Sockets;
using TorBalancer.Transport;

namespace TorBalancer.Server.Naming;

/// <summary>A question that came in a packet.</summary>
/// <param name="Length">Bytes of it.</param>
/// <param name="Peer">Who asks; of a socket for both versions, IPv4 is mapped into IPv6.</param>
/// <param name="Asked">The address that was asked; of use where the socket is bound to none.</param>
internal readonly record struct DnsPacket(int Length, IPEndPoint Peer, IPPacketInformation Asked);

/// <summary>
/// The packets of a socket, each answered from the address that was asked. A socket that is bound to no address sends from the one that the
/// route to the peer prefers, and a host with several would be answered by another one than it asked: stub resolvers throw that away, and
/// the kernel does not turn it back into what a redirected question was sent to.
/// </summary>
internal sealed class DnsPackets(Socket socket)
{
    // What is sent with a packet of its own address is laid out for 64 bits.
    private readonly bool _hasNoAddress = OperatingSystem.IsLinux() && Environment.Is64BitProcess
        && socket.LocalEndPoint is IPEndPoint { Address: var bound } && (bound.Equals(IPAddress.Any) || bound.Equals(IPAddress.IPv6Any));

    // Any of its family.
    private readonly IPEndPoint _anybody =
        new(socket.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);

    private readonly SocketAddress _sender = new(socket.AddressFamily);

    /// <summary>The next one; one at a time. Throws <see cref="SocketException"/>, and when the token is cancelled.</summary>
    /// <param name="buffer">Takes it; what is longer is cut off.</param>
    public async ValueTask<DnsPacket> ReceiveAsync(Memory<byte> buffer, CancellationToken token)
    {
        if (_hasNoAddress)
        {
            var received = await socket.ReceiveMessageFromAsync(buffer, SocketFlags.None, _anybody, token);
            return new DnsPacket(received.ReceivedBytes, (IPEndPoint)received.RemoteEndPoint, received.PacketInformation);
        }

        int length = await socket.ReceiveFromAsync(buffer, SocketFlags.None, _sender, token);
        return new DnsPacket(length, (IPEndPoint)_anybody.Create(_sender), default);
    }

    /// <summary>
    /// Answers one. An answer that cannot be sent is lost, as packets are. Throws <see cref="SocketException"/>, and when the token is
    /// cancelled.
    /// </summary>
    public async ValueTask ReplyAsync(DnsPacket question, ReadOnlyMemory<byte> answer, CancellationToken token)
    {
        if (question.Asked.Address is { } asked)
            DatagramCalls.SendFrom(socket, answer.Span, question.Peer, asked, question.Asked.Interface);
        else
            await socket.SendToAsync(answer, SocketFlags.None, question.Peer, token);
    }
}
