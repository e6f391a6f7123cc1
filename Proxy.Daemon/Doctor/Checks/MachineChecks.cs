using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Keys;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Daemon.Tor;
using TorBalancer.Primitives;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>This machine: limits, files, interfaces.</summary>
internal static class MachineChecks
{
    private const int FewDescriptors = 1024, ShortQueue = 1024, FewLocalPorts = 10_000;

    private const UnixFileMode ForOthers = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    public static IEnumerable<Finding> Descriptors(Patient patient)
    {
        if (patient.System.DescriptorLimit(patient.Daemon.ProcessId) is not { } limit)
            yield break;
        const string mend = "raise LimitNOFILE= in the unit (systemctl edit torbalancer), or ulimit -Hn where you start it";
        string where = patient.Daemon.ProcessId is null ? "file descriptors (of this shell)" : "file descriptors (of the daemon)";
        long wanted = patient.Options.Listeners.Sum(static listener => (long)listener.MaxConnections) * 2;
        if (limit < DescriptorLimit.Least)
            yield return Finding.Error(where, $"the limit is {limit}: the daemon does not start below {DescriptorLimit.Least}", mend);
        else if (limit < FewDescriptors)
            yield return Finding.Warning(where, $"the limit is {limit}, which is some {limit / 3} clients at a time", mend);
        else if (wanted > limit)
        {
            yield return Finding.Warning(
                where, $"the listeners' MaxConnections need {wanted}, two for each, and the limit is {limit}", mend);
        }
    }

    /// <summary>Always told: a bound is there to be compared with the machine.</summary>
    public static IEnumerable<Finding> Memory(Patient patient)
    {
        if (patient.System.DescriptorLimit(patient.Daemon.ProcessId) is not { } limit)
            yield break;
        var bound = MemoryBound.Of(patient.Options, limit);

        // In pages: below the first it is spared with, beyond the last nothing is taken (tcp(7)).
        string kernel = patient.System.Numbers(SystemFacts.TcpMemory) is [_, _, > 0 and var pages]
            ? $"; the kernel keeps up to {Units.Bytes((double)pages * Environment.SystemPageSize)} of bytes on their way, "
                + "of all programs together"
            : "";
        yield return Finding.Note(
            "memory",
            $"{bound.Clients} clients at a time take {Units.Bytes(bound.Idle)} at most while they are silent, and "
                + $"{Units.Bytes(bound.Most)} when each sends as much as it may; {Units.Bytes(bound.Own)} beside that are the daemon's "
                + $"own, of fetches and of passwords{kernel}",
            "MaxConnections of the listeners, LimitNOFILE= and [Admin] FetchMemory lower it; with MemoryMax= in the unit clients wait");
    }

    public static IEnumerable<Finding> Kernel(Patient patient)
    {
        if (patient.System.Number(SystemFacts.SomaxConn) is < ShortQueue and var queue)
        {
            yield return Finding.Warning(
                "net.core.somaxconn",
                $"{queue}: so few clients may wait while others are accepted; in a rush the rest is refused or retries",
                "sysctl -w net.core.somaxconn=4096, and the same in /etc/sysctl.d");
        }

        if (patient.System.Numbers(SystemFacts.LocalPorts) is [var low, var high, ..] && high - low < FewLocalPorts)
        {
            yield return Finding.Warning(
                "net.ipv4.ip_local_port_range",
                $"{low} to {high}: so many connections to each worker's port at a time, those that have just ended among them",
                "sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\" or wider; unix sockets as SocksPort need none");
        }
    }

    public static IEnumerable<Finding> Links(Patient patient)
    {
        bool anyHas = patient.Workers.Any(static worker => worker.Model.Link is not null);
        NetworkInterface[] interfaces = anyHas ? NetworkInterface.GetAllNetworkInterfaces() : [];
        foreach (var worker in patient.Workers)
        {
            if (worker.Model.Link is not { } link)
                continue;
            var found = Array.Find(interfaces, one => one.Name == link.Interface);
            if (found is null)
            {
                yield return Finding.Error(
                    worker.Id, $"there is no interface {link.Interface}: connections over it fail, and none goes another way",
                    $"systemctl start wg-quick@{link.Interface}");
                continue;
            }

            foreach (var address in new[] { link.HostAddress4, link.HostAddress6 }.OfType<IPAddress>())
            {
                if (!found.GetIPProperties().UnicastAddresses.Any(one => one.Address.Equals(address)))
                {
                    yield return Finding.Error(
                        worker.Id, $"the interface {link.Interface} has not the address {address}",
                        $"[Worker:{worker.Id}] WgHostAddress and Address in /etc/wireguard/{link.Interface}.conf must be the same");
                }
            }
        }
    }

    public static IEnumerable<Finding> SecretFiles(Patient patient)
    {
        var options = patient.Options;
        string state = ManagedWorkerPaths.RootOf(options.ManagedWorkers.DataDirectory, name => patient.System.Variable(name));
        string key = options.Balancing.KeyFile.StartsWith('/') ? options.Balancing.KeyFile : Path.Combine(state, IsolationKeyFile.Name);
        if (SystemFacts.ModeOf(key) is { } mode && (mode & FileModes.Others) != 0)
        {
            yield return Finding.Error(
                key,
                $"the isolation key has mode {Octal(mode)}, and the daemon takes 0600 or less: with it others can join anybody's circuits",
                $"chmod 600 {key}; if somebody may have read it, remove it: a new one is made");
        }

        bool holdsPasswords = options.Workers.Any(static worker => worker.ControlPassword.Length > 0)
            || options.Listeners.Any(listener => patient.Configuration.Given.IsSet($"Listener:{listener.Name}", "Users"))
            || (options.Admin.Token.Length > 0 && options.Admin.TokenFile is null);
        (string? Path, string What)[] secrets =
        [
            (holdsPasswords ? patient.Configuration.FilePath : null, "the configuration, with passwords,"),
            (options.ManagedWorkers.BridgesFile, "the file of bridges"),
            (options.Admin.TokenFile, "the admin API's token"),
            (options.Admin.Tls?.Key, "the admin API's private key"),
            .. options.Listeners.Select(static listener => (listener.UsersFile, $"the file of users of {listener.Name}")),
        ];
        foreach (var (path, what) in secrets)
        {
            if (path is { Length: > 0 } && SystemFacts.ModeOf(path) is { } wide && (wide & ForOthers) != 0)
                yield return Finding.Warning(path, $"{what} has mode {Octal(wide)}: every user can read or write it", $"chmod o-rw {path}");
        }

        foreach (var worker in options.Workers)
        {
            if (worker.ControlCookie.Length > 0 && SystemFacts.ModeOf(worker.ControlCookie) is { } cookie && (cookie & ForOthers) != 0)
            {
                yield return Finding.Warning(
                    worker.ControlCookie, $"the control cookie of {worker.Name} has mode {Octal(cookie)}: every user may command that tor",
                    "CookieAuthFileGroupReadable 1 in its torrc, and the daemon's user in tor's group, is enough");
            }
        }
    }

    private static string Octal(UnixFileMode mode) => "0" + Convert.ToString((int)mode, 8).PadLeft(3, '0');
}
