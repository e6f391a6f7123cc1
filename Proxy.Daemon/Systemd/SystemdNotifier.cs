using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Daemon.Systemd;

/// <summary>Tells the service manager how far we are (sd_notify(3)): one datagram to the socket in NOTIFY_SOCKET.</summary>
/// <param name="isService">
/// Whether the service is this process yet. One that takes over is not before the other has named it: until then the manager passes over
/// what it says, with a warning each time, or takes a start that fails (STOPPING=1) for the end of the service (NotifyAccess=all). Null:
/// it is from the start.
/// </param>
internal sealed class SystemdNotifier(Func<bool>? isService = null)
{
    /// <summary>Milliseconds.</summary>
    private const int SendLimit = 2000;

    private volatile string? _path = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");

    /// <summary>There is somebody to tell.</summary>
    public bool IsListenedTo => !string.IsNullOrEmpty(_path);

    /// <summary>Sends an assignment such as READY=1. Does nothing when no service manager listens, or not to this process yet.</summary>
    public void Notify(string state)
    {
        if (_path is not { Length: > 0 } named || isService?.Invoke() == false)
            return;

        // A leading @ stands for the NUL byte of Linux' abstract namespace.
        string path = named[0] == '@' ? '\0' + named[1..] : named;
        try
        {
            // A manager that does not read must hold up neither the start nor the end.
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { SendTimeout = SendLimit };
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            // The manager is gone; there is nobody to tell.
        }
    }

    /// <summary>
    /// The service is another process's from now on, and what it says is heard; this one says no more. Said by the one that the manager
    /// knows, because it listens to no other (NotifyAccess=main).
    /// </summary>
    public void HandOver(int successor)
    {
        Notify(string.Create(CultureInfo.InvariantCulture, $"MAINPID={successor}"));
        _path = null;
    }
}
