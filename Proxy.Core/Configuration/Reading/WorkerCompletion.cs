using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>Makes end points of a worker's Address and its ports, and finds what of its link is not given.</summary>
internal sealed class WorkerCompletion(GivenValues given, ConfigurationIssues issues)
{
    private const int DefaultSocksPort = 9050;

    /// <param name="section">The section's path, as messages name it.</param>
    public void Complete(WorkerDraft draft, string section)
    {
        var options = draft.Options;
        if (draft.Address is UnixDomainSocketEndPoint unix)
        {
            if (draft.SocksPort is not null)
                Error("SocksPort", "SocksPort contradicts Address, which is a unix socket already; give one of the two");
            if (draft.ControlPort is { Socket: null })
            {
                Error("ControlPort", "ControlPort is a port, but Address is a unix socket; "
                    + "give ControlPort = unix:/path, or SocksPort = unix:/path and Address = 127.0.0.1");
            }

            options.Address = null;
            options.SocksEndPoint = unix;
            options.ControlEndPoint = draft.ControlPort?.Socket;
        }
        else
        {
            var address = (draft.Address as IPEndPoint)?.Address;
            var reached = address ?? IPAddress.Loopback;
            options.Address = draft.SocksPort is { Socket: not null } ? address : reached;
            options.SocksEndPoint = ToEndPoint(draft.SocksPort ?? new PortOrSocket(DefaultSocksPort, null), reached);
            options.ControlEndPoint = draft.ControlPort is { } control ? ToEndPoint(control, reached) : null;
        }

        if (options.SshPort is not null && options.Address is null && !given.AnyFailed(section, "Address"))
            Error("SshPort", "SshPort needs an Address that is an IP address");
        string? login = options.ControlPassword.Length > 0 ? "ControlPassword" : options.ControlCookie.Length > 0 ? "ControlCookie" : null;
        if (options.ControlCookie.Length > 0 && options.ControlPassword.Length > 0)
            Error("ControlPassword", "ControlPassword and ControlCookie contradict each other; give one of the two");
        else if (draft.ControlPort is null && login is not null && !given.AnyFailed(section, "ControlPort"))
            issues.Warning(given.OriginOf(section, login), $"[{section}] has no ControlPort, so {login} is not used");

        CompleteLink(options, section, Error);

        void Error(string key, string message) => issues.Error(
            given.OriginOf(section, key), $"[{section}] {message}", new IssueSubject(section, key));
    }

    /// <summary>A link is bound by interface and by address, so it needs both; one of them alone would leave a way around it.</summary>
    private void CompleteLink(WorkerOptions options, string section, Action<string, string> error)
    {
        if (given.AnyFailed(section, "Address", "WgInterface", "WgHostAddress", "WgWorkerAddress"))
            return;
        var hosts = options.WgHostAddresses;
        if (hosts.Count > 2 || (hosts.Count == 2 && hosts[0].AddressFamily == hosts[1].AddressFamily))
            error("WgHostAddress", "WgHostAddress has two addresses of one family; give at most one IPv4 and one IPv6 address");
        if (options.WgInterface.Length > 0 && hosts.Count == 0)
            error("WgInterface", $"WgInterface = \"{options.WgInterface}\" needs WgHostAddress, our own address on that link");
        string? without = options.WgInterface.Length > 0 ? null
            : hosts.Count > 0 ? "WgHostAddress"
            : options.WgWorkerAddress is not null ? "WgWorkerAddress"
            : options.DnsPort is not null ? "DnsPort" : null;
        if (without is not null)
            error(without, $"{without} needs WgInterface, the WireGuard interface towards this worker");

        options.WgWorkerAddress ??= options.Address is { } address && hosts.Any(host => AreNeighbours(host, address)) ? address : null;
        if (options.WgWorkerAddress is { } worker && hosts.Count > 0 && !hosts.Any(host => host.AddressFamily == worker.AddressFamily))
            error("WgWorkerAddress", $"{worker} cannot be reached from WgHostAddress, which is of the other family");
        else if (options.DnsPort is { } port && without is null && hosts.Count > 0)
        {
            // A worker is also itself at Address, seen from the link: packets for it come out of the tunnel there.
            var server = options.WgWorkerAddress ?? options.Address;
            if (server is null || IPAddress.IsLoopback(server) || !hosts.Any(host => host.AddressFamily == server.AddressFamily))
                error("DnsPort", "DnsPort needs WgWorkerAddress, the worker's own address on the link");
            else
                options.DnsEndPoint = new IPEndPoint(server, port);
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
