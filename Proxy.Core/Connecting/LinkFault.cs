using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using TorBalancer.Primitives;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>Says what is wrong when a socket that is bound to a link could not connect.</summary>
internal static class LinkFault
{
    public const string NothingLeft = "no descriptors or buffers left; raise LimitNOFILE";

    public static string NotPermitted(string name) =>
        $"binding to interface {name} is not permitted: before Linux 5.7 it needs CAP_NET_RAW (or a local firewall forbids the connection)";

    /// <summary>Why no socket may ever be bound to the interface, which will not change by itself; null: it may.</summary>
    /// <param name="tryInterface">What binding a socket to an interface fails with; null: the kernel is asked.</param>
    public static string? WhyForbidden(string name, Func<string, SocketError>? tryInterface = null) =>
        (tryInterface ?? SocketBinding.TryInterface)(name) == SocketError.AccessDenied
            ? "the kernel does not let us bind to an interface; before Linux 5.7 that needs CAP_NET_RAW (systemd: "
                + "AmbientCapabilities=CAP_NET_RAW and the same in CapabilityBoundingSet)"
            : null;

    /// <param name="refused">What it means that the far end refuses.</param>
    public static ProxyError ToError(WireGuardLink link, SocketError error, string refused) => error switch
    {
        SocketError.ConnectionRefused => new ProxyError(FailureCause.WorkerRefused, refused),
        SocketError.TimedOut => new ProxyError(FailureCause.WorkerTimeout, $"no answer over the link {link.Interface}"),

        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown or SocketError.NotConnected =>
            new ProxyError(FailureCause.WorkerClosed, "the worker broke the connection before its answer"),

        // Ours, not the worker's: no other link could be used either, and no worker may be blamed.
        SocketError.AccessDenied => new ProxyError(FailureCause.InternalError, NotPermitted(link.Interface)),
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable =>
            new ProxyError(FailureCause.OutOfDescriptors, NothingLeft),
        _ => Describe(link) is { } fault
            ? new ProxyError(FailureCause.LinkDown, fault)
            : new ProxyError(FailureCause.WorkerUnreachable, $"cannot connect over the link {link.Interface}: {error}"),
    };

    /// <summary>Null when interface and addresses are there, or cannot be looked at, which proves nothing of them.</summary>
    public static string? Describe(WireGuardLink link)
    {
        try
        {
            var found = Array.Find(NetworkInterface.GetAllNetworkInterfaces(), one => one.Name == link.Interface);
            if (found is null)
                return $"interface {link.Interface} does not exist";
            if (found.OperationalStatus == OperationalStatus.Down)
                return $"interface {link.Interface} is down";
            var addresses = found.GetIPProperties().UnicastAddresses;
            foreach (var wanted in (ReadOnlySpan<IPAddress?>)[link.HostAddress4, link.HostAddress6])
            {
                if (wanted is not null && !addresses.Any(one => one.Address.Equals(wanted)))
                    return $"interface {link.Interface} does not have the address {wanted}";
            }

            return null;
        }
        catch (NetworkInformationException)
        {
            // It takes a descriptor, of which there may be none left.
            return null;
        }
    }
}
