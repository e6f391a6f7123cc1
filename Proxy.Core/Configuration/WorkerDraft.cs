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
        var issues = reader.Issues;
        if (Address is UnixDomainSocketEndPoint unix)
        {
            if (SocksPort is not null)
                issues.Error(reader.Origins.Of(section, "SocksPort"), $"[{section}] SocksPort contradicts Address, which is a unix socket already; give one of the two");
            if (ControlPort is { Socket: null })
                issues.Error(reader.Origins.Of(section, "ControlPort"), $"[{section}] ControlPort is a port, but Address is a unix socket; give ControlPort = unix:/path, or SocksPort = unix:/path and Address = 127.0.0.1");
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
            issues.Error(reader.Origins.Of(section, "SshPort"), $"[{section}] SshPort needs an Address that is an IP address");
        if (Options.ControlCookie.Length > 0 && Options.ControlPassword.Length > 0)
            issues.Error(reader.Origins.Of(section, "ControlPassword"), $"[{section}] ControlPassword and ControlCookie contradict each other; give one of the two");
        else if (ControlPort is null && (Options.ControlCookie.Length > 0 || Options.ControlPassword.Length > 0))
            issues.Warning(reader.Origins.Of(section, Options.ControlCookie.Length > 0 ? "ControlCookie" : "ControlPassword"), $"[{section}] has no ControlPort, so its cookie or password is not used");
    }

    private static EndPoint ToEndPoint(PortOrSocket where, IPAddress address) =>
        where.Socket is { } socket ? socket : new IPEndPoint(address, where.Port);
}
