using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>TCP sockets of 127.0.0.0/8, or of another address of this machine's own, as plain descriptors.</summary>
internal static unsafe class LoopbackSocket
{
    /// <summary>127.0.0.1.</summary>
    public const uint Loopback = 0x7F000001;

    /// <summary>Of struct sockaddr_in.</summary>
    public const int AddressLength = 16;
    private const int Flags = Native.SockNonBlock | Native.SockCloseOnExec;

    // Clients come from several addresses, so that 28,000 ephemeral ports and a minute of TIME_WAIT are no limit.
    private const int SourceAddresses = 16;

    // Below the ephemeral ports: no outgoing connection may sit on a port that is to be listened on.
    private const int FirstPort = 20_000, LastPort = 32_000;

    private static int _nextPort = FirstPort + (Environment.ProcessId * 16 % (LastPort - FirstPort));
    private static uint _nextSource;

    /// <summary>A port that nobody listens on at this moment.</summary>
    public static int FreePort()
    {
        while (true)
        {
            int port = NextPort();
            int fd = TryBind(port);
            if (fd < 0)
                continue;
            Native.Close(fd);
            return port;
        }
    }

    /// <summary>Listens on a free port. Accepted sockets inherit TCP_NODELAY.</summary>
    public static int Listen(out int port)
    {
        while (true)
        {
            port = NextPort();
            int fd = ListenOn(port);
            if (fd >= 0)
                return fd;
        }
    }

    /// <summary>Listens on that port. Accepted sockets inherit TCP_NODELAY. -1 when it is taken.</summary>
    public static int ListenOn(int port)
    {
        int fd = TryBind(port);
        if (fd < 0)
            return -1;
        int on = 1;
        Native.SetOption(fd, Native.IpProtoTcp, Native.TcpNoDelay, &on, sizeof(int));
        if (Native.Listen(fd, 4096) == 0)
            return fd;
        Native.Close(fd);
        return -1;
    }

    /// <summary>The next accepted connection, or -1.</summary>
    public static int Accept(int listener) => Native.Accept(listener, null, null, Flags);

    /// <summary>Starts to connect. On loopback the connection is established when this returns, unless the backlog is full.</summary>
    public static int StartConnect(int port) => StartConnect(Loopback, port);

    /// <inheritdoc cref="StartConnect(int)" />
    /// <param name="host">
    /// An IPv4 address in the order of its digits; from several addresses only where it is <see cref="Loopback"/>.
    /// </param>
    public static int StartConnect(uint host, int port)
    {
        int fd = Create();
        byte* address = stackalloc byte[AddressLength];
        if (host == Loopback)
        {
            int on = 1;
            Native.SetOption(fd, Native.IpProtoIp, Native.IpBindAddressNoPort, &on, sizeof(int));
            Write(address, Loopback + (_nextSource++ % SourceAddresses), 0);
            Native.Bind(fd, address, AddressLength);
        }

        Write(address, host, port);
        if (Native.Connect(fd, address, AddressLength) == 0 || Marshal.GetLastSystemError() == Native.InProgress)
            return fd;
        Native.Close(fd);
        return -1;
    }

    private static int NextPort() => _nextPort = _nextPort >= LastPort ? FirstPort : _nextPort + 1;

    private static int TryBind(int port)
    {
        int fd = Create();
        int on = 1;
        Native.SetOption(fd, Native.SolSocket, Native.SoReuseAddr, &on, sizeof(int));
        byte* address = stackalloc byte[AddressLength];
        Write(address, Loopback, port);
        if (Native.Bind(fd, address, AddressLength) == 0)
            return fd;
        Native.Close(fd);
        return -1;
    }

    private static int Create()
    {
        int fd = Native.Socket(Native.AfInet, Native.SockStream | Flags, 0);
        return fd >= 0 ? fd : throw new Win32Exception(Marshal.GetLastSystemError(), "socket");
    }

    /// <summary>struct sockaddr_in of an IPv4 address.</summary>
    public static void Write(byte* address, uint host, int port)
    {
        new Span<byte>(address, AddressLength).Clear();
        *(ushort*)address = Native.AfInet;
        BinaryPrimitives.WriteUInt16BigEndian(new Span<byte>(address + 2, 2), (ushort)port);
        BinaryPrimitives.WriteUInt32BigEndian(new Span<byte>(address + 4, 4), host);
    }
}
