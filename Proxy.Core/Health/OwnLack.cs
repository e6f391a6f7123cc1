using System.ComponentModel;
using System.Net.Sockets;
using TorBalancer.Interop;
using TorBalancer.Primitives;

namespace TorBalancer.Health;

/// <summary>
/// A probe could not be made because this process or machine has nothing left to make it with: descriptors, memory for sockets. That
/// says nothing of the worker.
/// </summary>
internal sealed class OwnLackException(string message) : Exception(message);

/// <summary>Tells what we lack ourselves from what a worker did.</summary>
internal static class OwnLack
{
    /// <summary>Throws <see cref="OwnLackException"/> when it is that which kept a socket from being made or connected.</summary>
    public static void ThrowIf(SocketError error)
    {
        if (Is(error))
            throw new OwnLackException($"not asked: {error}");
    }

    /// <summary>The same, of an attempt that a worker was to carry.</summary>
    public static void ThrowIf(ProxyError error)
    {
        if (error.Cause == FailureCause.OutOfDescriptors)
            throw new OwnLackException($"not asked: {error}");
    }

    /// <summary>True when it, or what caused it, is a lack of ours: of a socket, a file, or a program that was to be started.</summary>
    public static bool Is(Exception failure)
    {
        for (var one = failure; one is not null; one = one.InnerException)
        {
            bool isLack = one switch
            {
                OwnLackException => true,
                SocketException socket => Is(socket.SocketErrorCode),
                Win32Exception system => system.NativeErrorCode is Errno.TableFull or Errno.TooManyOpen,
                IOException file => file.HResult is Errno.TableFull or Errno.TooManyOpen,
                _ => false,
            };
            if (isLack)
                return true;
        }

        return false;
    }

    private static bool Is(SocketError error) =>
        error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.ProcessLimit;
}
