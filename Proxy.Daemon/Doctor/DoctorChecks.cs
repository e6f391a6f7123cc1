using TorBalancer.Daemon.Doctor.Checks;

namespace TorBalancer.Daemon.Doctor;

/// <summary>All examinations, in the order in which their findings are shown.</summary>
internal static class DoctorChecks
{
    public static IReadOnlyList<DoctorCheck> All { get; } =
    [
        new("configuration", "mistakes and warnings of the configuration", DaemonChecks.Configuration),
        new("daemon", "whether a daemon answers, and may be asked by this user", DaemonChecks.Daemon),
        new("listener_port", "whether the listeners can have their ports, while no daemon runs", DaemonChecks.ListenerPorts),
        new("worker_state", "workers that the daemon does not use", DaemonChecks.WorkerStates),
        new("worker_reachable", "whether something answers on each SocksPort", SocksChecks.Reachable),
        new("worker_is_tor", "SocksPorts behind which is no tor: names would be looked up there", SocksChecks.IsTor),
        new("socks_addresses", "SafeSocks, which refuses clients that ask for addresses", SocksChecks.Addresses),
        new("worker_network", "SOCKS and control ports in the clear over a public network", SocksChecks.Network),
        new("link", "WireGuard interfaces and addresses", MachineChecks.Links),
        new("tor_program", "the tor executable of managed workers, and its version", TorChecks.Program),
        new("tor_version", "what the version of each tor means", TorChecks.Version),
        new("tor_start", "tors that have no way into the network", TorChecks.Start),
        new("clock", "clocks that tor cannot work with", TorChecks.Clock),
        new("control_port", "control ports that cannot be used", ControlChecks.Usable),
        new("control_open", "control ports that ask nobody for anything", ControlChecks.Open),
        new("socks_isolation", "flags that share circuits, or refuse targets", SocksChecks.Isolation),
        new("socks_errors", "ExtendedErrors, without which failures of onion services cannot be told apart", SocksChecks.Errors),
        new("socks_sessions", "how long a session keeps its circuit", SocksChecks.Sessions),
        new("socks_open", "SocksPorts that anybody may use", SocksChecks.OpenToAll),
        new("torrc", "other settings of tor's that matter here", TorChecks.Torrc),
        new("geoip", "GeoIP files, where countries are asked for", TorChecks.GeoIP),
        new("country_exits", "countries with few exits", TorChecks.CountryExits),
        new("gateway_rules", "rules that turn a network's TCP and DNS here, and the ports that they name", GatewayChecks.Turned),
        new("gateway_forward", "what a gateway would forward past the proxy, IPv6 included", GatewayChecks.Past),
        new("descriptors", "the limit of file descriptors", MachineChecks.Descriptors),
        new("memory", "how much memory clients may come to take", MachineChecks.Memory),
        new("kernel", "limits of the kernel's", MachineChecks.Kernel),
        new("secret_files", "secrets that others can read", MachineChecks.SecretFiles),
        new("name_leaks", "programs that look names up before they ask the proxy", LeakChecks.Names),
    ];
}
