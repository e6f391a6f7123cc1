using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;

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

        CompleteLink(reader, section, Error);

        void Error(string key, string message) => reader.Issues.Error(reader.Origins.Of(section, key), $"[{section}] {message}");
    }

    /// <summary>A link is bound by interface and by address, so it needs both; one of them alone would leave a way around it.</summary>
    private void CompleteLink(ConfigurationReader reader, string section, Action<string, string> error)
    {
        if (reader.Origins.AnyFailed(section, "Address", "WgInterface", "WgHostAddress", "WgWorkerAddress"))
            return;
        var hosts = Options.WgHostAddresses;
        if (hosts.Count > 2 || (hosts.Count == 2 && hosts[0].AddressFamily == hosts[1].AddressFamily))
            error("WgHostAddress", "WgHostAddress has two addresses of one family; give at most one IPv4 and one IPv6 address");
        if (Options.WgInterface.Length > 0 && hosts.Count == 0)
            error("WgInterface", $"WgInterface = \"{Options.WgInterface}\" needs WgHostAddress, our own address on that link");
        string? without = Options.WgInterface.Length > 0 ? null
            : hosts.Count > 0 ? "WgHostAddress" : Options.WgWorkerAddress is not null ? "WgWorkerAddress" : Options.DnsPort is not null ? "DnsPort" : null;
        if (without is not null)
            error(without, $"{without} needs WgInterface, the WireGuard interface towards this worker");

        Options.WgWorkerAddress ??= hosts.FirstOrDefault(host => Options.Address is { } address && AreNeighbours(host, address)) is null ? null : Options.Address;
        if (Options.WgWorkerAddress is { } worker && hosts.Count > 0 && !hosts.Any(host => host.AddressFamily == worker.AddressFamily))
            error("WgWorkerAddress", $"{worker} cannot be reached from WgHostAddress, which is of the other family");
        else if (Options.DnsPort is { } port && without is null && hosts.Count > 0)
        {
            // A worker is also itself at Address, seen from the link: packets for it come out of the tunnel there.
            var server = Options.WgWorkerAddress ?? Options.Address;
            if (server is null || IPAddress.IsLoopback(server) || !hosts.Any(host => host.AddressFamily == server.AddressFamily))
                error("DnsPort", "DnsPort needs WgWorkerAddress, the worker's own address on the link");
            else
                Options.DnsEndPoint = new IPEndPoint(server, port);
        }
    }

    private static bool AreNeighbours(IPAddress one, IPAddress other)
    {
        if (one.AddressFamily != other.AddressFamily)
            return false;
        int shared = one.AddressFamily == AddressFamily.InterNetwork ? 3 : 8;
        return one.GetAddressBytes().AsSpan(0, shared).SequenceEqual(other.GetAddressBytes().AsSpan(0, shared));
    }

    private static EndPoint ToEndPoint(PortOrSocket where, IPAddress address) =>
        where.Socket is { } socket ? socket : new IPEndPoint(address, where.Port);
}
