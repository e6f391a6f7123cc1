using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace TorBalancer.Interop;

/// <summary>
/// Unix sockets in the file system: bound with the permissions that they are to have, and removed only when they are sockets.
/// </summary>
internal static class UnixSocketFile
{
    /// <summary>
    /// Binds. The file has its permissions from the first moment: the kernel takes them from the socket (unix(7)), less the umask.
    /// Changing them by path afterwards would leave a gap, and could be led to another file. Throws SocketException, IOException.
    /// </summary>
    /// <param name="mode">Null leaves what the umask makes of 0777.</param>
    public static void Bind(Socket socket, string path, UnixFileMode? mode)
    {
        if (mode is { } wanted && OperatingSystem.IsLinux())
            _ = FileCalls.ChangeMode((int)socket.Handle, (uint)wanted);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        if (mode is { } final && !OperatingSystem.IsWindows())
            Complete(path, final);
    }

    /// <summary>Why nobody could be reached: .NET says of a unix socket that is not there that its address cannot be assigned.</summary>
    public static string MessageOf(EndPoint endPoint, SocketException failure) =>
        endPoint is UnixDomainSocketEndPoint && failure.SocketErrorCode == SocketError.AddressNotAvailable
            ? "there is no such socket" : failure.Message;

    /// <summary>True when the name is a socket itself: not a link to one, and no other file.</summary>
    public static bool Is(string path) =>
        OperatingSystem.IsLinux() ? FileCalls.StatusOf(path, followLinks: false) is { IsSocket: true } : File.Exists(path);

    /// <summary>Gives back what the umask took away, to our own socket and to nothing else that may stand there by now.</summary>
    private static void Complete(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsLinux())
        {
#pragma warning disable CA1416 // Not on Windows: see Bind.
            File.SetUnixFileMode(path, mode);
#pragma warning restore CA1416
            return;
        }

        int fd = FileCalls.Open(path, FileCalls.PathOnly | FileCalls.DoNotFollow | FileCalls.CloseOnExec, 0);
        if (fd < 0)
            throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        try
        {
            if (FileCalls.StatusOf(fd) is not { IsSocket: true } status || status.Owner != FileCalls.EffectiveUserId)
                throw new UntrustedPathException($"{path} is not the socket that was bound");
            if (status.Permissions != mode
                && FileCalls.ChangeMode(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{fd}"), (uint)mode) != 0)
                throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
        finally
        {
            FileCalls.Close(fd);
        }
    }
}
