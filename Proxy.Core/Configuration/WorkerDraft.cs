using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Configuration;

/// <summary>A [Worker:…] while it is read: Address and the ports become end points when all are known.</summary>
internal sealed class WorkerDraft(string name)
{
    private const int DefaultSocksPort = 9050;

    public WorkerOptions Options { get; } = new() { Name = name };

    /// <summary>An <see cref="IPEndPoint"/> with port 0, a unix socket, or null when the key was not given.</summary>
    public EndPoint? Address { get; set; }

    public PortOrSocket? SocksPort { get; set; }

    public PortOrSocket? ControlPort { get; set; }

    public void Complete(ConfigurationReader reader, string section)
    {
        if (Address is UnixDomainSocketEndPoint unix)
        {
            if (SocksPort is not null)
                Error("SocksPort", "SocksPort contradicts Address, which is a unix socket already; give one of the two");
            if (ControlPort is { Socket: null })
            {
                Error("ControlPort", "ControlPort is a port, but Address is a unix socket; "
                    + "give ControlPort = unix:/path, or SocksPort = unix:/path and Address = 127.0.0.1");
            }

            Options.Address = null;
            Options.SocksEndPoint = unix;
            Options.ControlEndPoint = ControlPort?.Socket;
        }
        else
        {
            var address = (Address as IPEndPoint)?.Address;
            var reached = address ?? IPAddress.Loopback;
            Options.Address = SocksPort is { Socket: not null } ? address : reached;
            Options.SocksEndPoint = ToEndPoint(SocksPort ?? new PortOrSocket(DefaultSocksPort, null), reached);
            Options.ControlEndPoint = ControlPort is { } control ? ToEndPoint(control, reached) : null;
        }

        if (Options.SshPort is not null && Options.Address is null)
            Error("SshPort", "SshPort needs an Address that is an IP address");
        string? login = Options.ControlPassword.Length > 0 ? "ControlPassword" : Options.ControlCookie.Length > 0 ? "ControlCookie" : null;
        if (Options.ControlCookie.Length > 0 && Options.ControlPassword.Length > 0)
            Error("ControlPassword", "ControlPassword and ControlCookie contradict each other; give one of the two");
        else if (ControlPort is null && login is not null && !reader.Origins.AnyFailed(section, "ControlPort"))
            reader.Issues.Warning(reader.Origins.Of(section, login), $"[{section}] has no ControlPort, so {login} is not used");

        void Error(string key, string message) => reader.Issues.Error(reader.Origins.Of(section, key), $"[{section}] {message}");
    }

    private static EndPoint ToEndPoint(PortOrSocket where, IPAddress address) =>
        where.Socket is { } socket ? socket : new IPEndPoint(address, where.Port);
}
