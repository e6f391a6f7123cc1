using System.Net.Sockets;

namespace TorBalancer.Transport.Linux;

/// <summary>Linux' error numbers (asm-generic/errno.h), as far as sockets give them, and what .NET calls them.</summary>
internal static class Errno
{
    public const int Interrupted = 4, TryAgain = 11, TooManyOpen = 24, ConnectionReset = 104, InProgress = 115, NoBuffers = 105;

    public static SocketError ToSocketError(int errno) => errno switch
    {
        0 => SocketError.Success,
        1 or 13 => SocketError.AccessDenied,
        2 or 111 => SocketError.ConnectionRefused,
        4 => SocketError.Interrupted,
        11 => SocketError.WouldBlock,
        12 or 105 => SocketError.NoBufferSpaceAvailable,
        19 => SocketError.NetworkDown,
        22 => SocketError.InvalidArgument,
        23 or 24 => SocketError.TooManyOpenSockets,
        32 => SocketError.Shutdown,
        97 => SocketError.AddressFamilyNotSupported,
        98 => SocketError.AddressAlreadyInUse,
        99 => SocketError.AddressNotAvailable,
        100 => SocketError.NetworkDown,
        101 => SocketError.NetworkUnreachable,
        103 => SocketError.ConnectionAborted,
        104 => SocketError.ConnectionReset,
        107 => SocketError.NotConnected,
        110 => SocketError.TimedOut,
        112 => SocketError.HostDown,
        113 => SocketError.HostUnreachable,
        _ => SocketError.SocketError,
    };

    /// <summary>What <see cref="TransportConnection"/> promises for input/output errors.</summary>
    public static IOException ToException(int errno)
    {
        var inner = new SocketException((int)ToSocketError(errno));
        return new IOException(inner.Message, inner);
    }

    /// <summary>For operations whose connection was closed under them by ourselves.</summary>
    public static IOException Closed()
    {
        var inner = new SocketException((int)SocketError.OperationAborted);
        return new IOException(inner.Message, inner);
    }
}
