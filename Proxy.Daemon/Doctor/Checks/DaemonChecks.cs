using System.Net;
using System.Net.Sockets;
using TorBalancer.Daemon.Client;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>The configuration, the daemon, and what the daemon says of its workers.</summary>
internal static class DaemonChecks
{
    public static IEnumerable<Finding> Configuration(Patient patient)
    {
        var result = patient.Configuration;
        foreach (var issue in result.Errors)
            yield return Finding.Error($"{issue.Origin}", issue.Message, "correct it; torbalancer check shows whether all is well");
        foreach (var issue in result.Warnings)
            yield return Finding.Warning($"{issue.Origin}", issue.Message, "see torbalancer.conf(5)");
    }

    public static IEnumerable<Finding> Daemon(Patient patient)
    {
        if (patient.Daemon.IsForbidden)
        {
            yield return Finding.Warning(
                "[Admin] Socket", $"the admin socket is there, and this user may not use it: {patient.Daemon.Problem}",
                "call this as root or as the daemon's user (sudo -u torbalancer); what follows is what could be seen without");
        }
        else if (!patient.Daemon.IsRunning)
        {
            yield return Finding.Note(
                "daemon", $"no daemon answers ({patient.Daemon.Problem})",
                "if one should, start it: systemctl start torbalancer, or torbalancer run");
        }
    }

    /// <summary>Of a daemon that runs, the ports are its own.</summary>
    public static IEnumerable<Finding> ListenerPorts(Patient patient)
    {
        if (patient.Daemon.IsRunning || patient.Daemon.IsForbidden)
            yield break;
        foreach (var (listener, endPoint) in patient.Options.Listeners.SelectMany(
            static listener => listener.Addresses.Select(address => (listener, address))))
        {
            if (endPoint is not IPEndPoint { Port: > 0 } address || ProblemOfBinding(address) is not { } problem)
                continue;
            string mend = problem switch
            {
                SocketError.AddressAlreadyInUse =>
                    $"see who has it (ss -ltnp 'sport = :{address.Port}'), and stop that or give the listener another port",
                SocketError.AccessDenied => "ports below 1024 are root's: take a higher one, or give the service CAP_NET_BIND_SERVICE",
                _ => "give it an address that this machine has (ip address)",
            };
            string what = problem == SocketError.AddressAlreadyInUse ? "is taken by another program"
                : $"cannot be listened on: {new SocketException((int)problem).Message}";
            yield return Finding.Error($"[Listener:{listener.Name}] Address", $"{address} {what}", mend);
        }
    }

    public static IEnumerable<Finding> WorkerStates(Patient patient)
    {
        if (patient.Daemon.Workers is not { } answer)
            yield break;
        foreach (var worker in answer.Items("workers"))
        {
            string id = worker.Text("id") ?? "?";
            var health = worker.Member("health") ?? default;
            string why = health.Text("reason") is { } reason ? $": {reason}" : "";
            if (health.Text("administrative") == "draining")
                yield return Finding.Note(id, "the worker is drained", $"torbalancer enable {id}");
            else if (health.Text("administrative") == "leaving")
            {
                yield return Finding.Note(
                    id, "the worker was taken out", "it goes by itself when its last connections have finished; torbalancer connections");
            }
            else if (health.Text("state") is "DEAD" or "RECOVERY")
            {
                yield return Finding.Error(
                    id, $"the daemon does not use it, it is {health.Text("state")}{why}", "see to that; it is tried again by itself");
            }
            else if (health.Text("state") == "SUSPECT")
                yield return Finding.Warning(id, $"connections over it have failed{why}", "it is probed now, and used meanwhile");
        }
    }

    private static SocketError? ProblemOfBinding(IPEndPoint address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(1);
            return null;
        }
        catch (SocketException failure)
        {
            return failure.SocketErrorCode;
        }
    }
}
