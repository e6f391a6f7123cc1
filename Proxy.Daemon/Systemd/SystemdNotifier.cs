using System.Net.Sockets;
using System.Text;

namespace TorBalancer.Daemon.Systemd;

/// <summary>Tells the service manager how far we are (sd_notify(3)): one datagram to the socket in NOTIFY_SOCKET.</summary>
internal sealed class SystemdNotifier
{
    /// <summary>Milliseconds.</summary>
    private const int SendLimit = 2000;

    private readonly string? _path = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");

    /// <summary>There is somebody to tell.</summary>
    public bool IsListenedTo => !string.IsNullOrEmpty(_path);

    /// <summary>Sends an assignment such as READY=1. Does nothing when no service manager listens.</summary>
    public void Notify(string state)
    {
        if (string.IsNullOrEmpty(_path))
            return;

        // A leading @ stands for the NUL byte of Linux' abstract namespace.
        string path = _path[0] == '@' ? '\0' + _path[1..] : _path;
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
}
