using System.Net;
using TorBalancer.Primitives;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>The workers' SocksPorts: who answers there, and with which flags.</summary>
internal static class SocksChecks
{
    public static IEnumerable<Finding> Reachable(Patient patient) => patient.Workers
        .Where(static worker => worker.Socks is SocksAnswer.Unreachable or SocksAnswer.NoSocks)
        .Select(static worker => worker.Socks == SocksAnswer.Unreachable
            ? Finding.Error(
                worker.Id, $"nothing can be reached at its SocksPort {worker.Model.SocksEndPoint}: {worker.SocksProblem}",
                $"start its tor (systemctl status tor@default), or correct [Worker:{worker.Id}] Address and SocksPort")
            : Finding.Error(
                worker.Id, $"{worker.Model.SocksEndPoint} is no SocksPort: {worker.SocksProblem}",
                $"correct [Worker:{worker.Id}] SocksPort: tor's is 9050, Tor Browser's 9150, and 9051 is the control port"));

    public static IEnumerable<Finding> IsTor(Patient patient)
    {
        foreach (var worker in patient.Workers.Where(
            static worker => worker.Socks is SocksAnswer.OtherSocks or SocksAnswer.Tor or SocksAnswer.SafeSocks))
        {
            bool isTor = worker.Socks != SocksAnswer.OtherSocks;
            if (!isTor && worker.Model.IsTor)
            {
                yield return Finding.Error(
                    worker.Id,
                    $"what answers at {worker.Model.SocksEndPoint} is not tor ({worker.SocksProblem}): it looks names up by its own "
                        + "resolver and keeps nobody apart",
                    $"point [Worker:{worker.Id}] SocksPort at a tor; if another SOCKS server is meant, say so with Tor = no");
            }
            else if (!isTor)
            {
                yield return Finding.Note(
                    worker.Id, "it is another SOCKS server than tor, as configured: names are looked up where it is",
                    "nothing, if that is what you want");
            }
            else if (!worker.Model.IsTor)
            {
                yield return Finding.Warning(
                    worker.Id, "it is tor, and configured as if it were not: no onion service is asked for over it, nobody is kept apart",
                    $"[Worker:{worker.Id}] Tor = yes");
            }
        }
    }

    public static IEnumerable<Finding> Addresses(Patient patient) => patient.Workers
        .Where(static worker => worker.Socks == SocksAnswer.SafeSocks)
        .Select(static worker => Finding.Warning(
            worker.Id,
            "its tor has SafeSocks 1: a client that asks for an address in place of a name is refused, as if no exit allowed that target",
            "SafeSocks 0, tor's default, in its torrc, and reload tor; or have all clients send names (socks5h://, http://)"));

    public static IEnumerable<Finding> Network(Patient patient)
    {
        foreach (var worker in patient.Workers)
        {
            foreach (var (key, port) in new[] { ("SocksPort", worker.Model.SocksEndPoint), ("ControlPort", worker.Model.ControlEndPoint) })
            {
                if (worker.IsOverNetwork(port) && port is IPEndPoint { Address: var address } && PublicAddress.Is(address))
                {
                    yield return Finding.Warning(
                        worker.Id,
                        $"its {key} {port} is reached over the Internet in the clear: whoever carries it reads target names"
                            + (key == "ControlPort" ? " and the way into tor" : " and isolation tokens"),
                        "put a WireGuard link between (torbalancer init --wireguard), and have tor listen on the link only");
                }
            }
        }
    }

    public static IEnumerable<Finding> Isolation(Patient patient)
    {
        foreach (var worker in patient.Workers.Where(static worker => worker.Control?.SocksLine is not null))
        {
            var control = worker.Control!;
            string where = worker.Id;
            if (control.HasFlag("NoIsolateSOCKSAuth"))
            {
                yield return Finding.Error(
                    where, "NoIsolateSOCKSAuth at its SocksPort makes tor ignore what keeps clients apart: all share circuits and exits",
                    "take it out of the SocksPort line of its torrc and reload tor");
            }

            if (control.HasFlag("OnionTrafficOnly"))
            {
                yield return Finding.Error(
                    where, "OnionTrafficOnly at its SocksPort refuses every target that is no onion service",
                    "take it out of that line, or take the worker out");
            }

            if (control.HasFlag("NoOnionTraffic"))
            {
                yield return Finding.Warning(
                    where, "NoOnionTraffic at its SocksPort refuses onion services, which are asked for over every worker",
                    "take it out of that line");
            }

            foreach (string flag in (string[])["IsolateDestAddr", "IsolateDestPort"])
            {
                if (control.HasFlag(flag))
                {
                    yield return Finding.Note(
                        where,
                        $"{flag} at its SocksPort takes a circuit for each target, whoever asks: slower, and more for the network to carry",
                        "leave it out; [Balancing] Isolation = destination does the same where it is wanted");
                }
            }
        }
    }

    public static IEnumerable<Finding> Errors(Patient patient) => patient.Workers
        .Where(static worker => worker.Control is { SocksLine: not null } control && !control.HasFlag("ExtendedErrors"))
        .Select(static worker => Finding.Warning(
            worker.Id,
            "without ExtendedErrors at its SocksPort tor tells failures of onion services as failures of its own: they count against the "
                + "worker",
            "add ExtendedErrors to the SocksPort line of its torrc and reload tor"));

    public static IEnumerable<Finding> Sessions(Patient patient) => patient.Workers
        .Where(static worker => worker.Control is { SocksLine: not null } control && !control.HasFlag("KeepAliveIsolateSOCKSAuth"))
        .Select(static worker => Finding.Note(
            worker.Id,
            "a session changes its exit ten minutes after its first connection (MaxCircuitDirtiness), also while it is in use",
            "for sessions that keep their exit as long as they are used, add KeepAliveIsolateSOCKSAuth to the SocksPort line of its "
                + "torrc"));

    public static IEnumerable<Finding> OpenToAll(Patient patient)
    {
        foreach (var worker in patient.Workers.Where(static worker => worker.Control?.SocksLine is not null))
        {
            string address = worker.Control!.SocksLine!.Split(' ')[0];
            bool isForAll = address.StartsWith("0.0.0.0:", StringComparison.Ordinal)
                || address.StartsWith("[::]:", StringComparison.Ordinal);
            bool isGuarded = worker.Control.Settings.Any(
                static one => one.Key == "SocksPolicy" && one.Value?.Contains("reject", StringComparison.OrdinalIgnoreCase) == true);
            if (isForAll && !isGuarded)
            {
                yield return Finding.Warning(
                    worker.Id, $"its tor takes connections at {address} from everywhere, past this proxy and its rules",
                    "add SocksPolicy accept with this machine's address and SocksPolicy reject * to its torrc");
            }
        }
    }
}
