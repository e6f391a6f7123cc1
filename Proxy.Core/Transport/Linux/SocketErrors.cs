using System.Net.Sockets;
using TorBalancer.Interop;

namespace TorBalancer.Transport.Linux;

/// <summary>What .NET calls the kernel's error numbers (<see cref="Errno"/>), as far as sockets give them.</summary>
internal static class SocketErrors
{
    public static SocketError Of(int errno) => errno switch
    {
        0 => SocketError.Success,
        Errno.NotPermitted or Errno.NoAccess => SocketError.AccessDenied,
        Errno.NoEntry or Errno.ConnectionRefused => SocketError.ConnectionRefused,
        Errno.Interrupted => SocketError.Interrupted,
        Errno.TryAgain => SocketError.WouldBlock,
        Errno.NoMemory or Errno.NoBuffers => SocketError.NoBufferSpaceAvailable,
        Errno.NoDevice or Errno.NetworkDown => SocketError.NetworkDown,
        Errno.InvalidArgument => SocketError.InvalidArgument,
        Errno.TableFull or Errno.TooManyOpen => SocketError.TooManyOpenSockets,
        Errno.BrokenPipe => SocketError.Shutdown,
        Errno.FamilyNotSupported => SocketError.AddressFamilyNotSupported,
        Errno.AddressInUse => SocketError.AddressAlreadyInUse,
        Errno.AddressNotAvailable => SocketError.AddressNotAvailable,
        Errno.NetworkUnreachable => SocketError.NetworkUnreachable,
        Errno.ConnectionAborted => SocketError.ConnectionAborted,
        Errno.ConnectionReset => SocketError.ConnectionReset,
        Errno.NotConnected => SocketError.NotConnected,
        Errno.TimedOut => SocketError.TimedOut,
        Errno.HostDown => SocketError.HostDown,
        Errno.HostUnreachable => SocketError.HostUnreachable,
        _ => SocketError.SocketError,
    };

    /// <summary>What <see cref="TransportConnection"/> promises for input/output errors.</summary>
    public static IOException ToException(int errno)
    {
        var inner = new SocketException((int)Of(errno));
        return new IOException(inner.Message, inner);
    }

    /// <summary>For operations whose connection was closed under them by ourselves.</summary>
    public static IOException Closed()
    {
        var inner = new SocketException((int)SocketError.OperationAborted);
        return new IOException(inner.Message, inner);
    }
}
