using System.Buffers.Binary;
using System.Runtime.InteropServices;
using TorBalancer.Benchmarks.SideBySide.Load;
using TorBalancer.Transport.Linux;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>The workers' addresses, by turns.</summary>
internal sealed unsafe class RelayTargets
{
    private const int AddressLength = 16;

    private readonly byte* _addresses;
    private readonly int _count;
    private int _next;

    public RelayTargets(int[] ports)
    {
        _count = ports.Length;
        _addresses = (byte*)NativeMemory.AllocZeroed((nuint)(_count * AddressLength));
        for (int i = 0; i < _count; i++)
        {
            // struct sockaddr_in of 127.0.0.1.
            var address = new Span<byte>(_addresses + (i * AddressLength), AddressLength);
            *(ushort*)(_addresses + (i * AddressLength)) = Native.AfInet;
            BinaryPrimitives.WriteUInt16BigEndian(address[2..], (ushort)ports[i]);
            BinaryPrimitives.WriteUInt32BigEndian(address[4..], 0x7F000001);
        }
    }

    /// <summary>Where the next connection goes.</summary>
    private byte* NextAddress() => _addresses + ((uint)_next++ % _count * AddressLength);

    private static int CreateSocket()
    {
        int fd = Libc.Socket(Libc.AfInet, Libc.SockStream | Libc.SockCloExec | Libc.SockNonBlock, 0);
        int on = 1;
        if (fd >= 0)
            Libc.SetSocketOption(fd, Native.IpProtoTcp, Native.TcpNoDelay, &on, sizeof(int));
        return fd;
    }

    /// <summary>A socket that has begun to connect, or -1.</summary>
    public int Connect()
    {
        int fd = CreateSocket();
        if (fd < 0 || Libc.Connect(fd, NextAddress(), AddressLength) == 0 || Libc.LastError == Native.InProgress)
            return fd;
        Libc.Close(fd);
        return -1;
    }
}
