using System.Net.Sockets;
using TorBalancer.Daemon.Client;

namespace TorBalancer.Daemon.Doctor.Checks;

/// <summary>The workers' control ports.</summary>
internal static class ControlChecks
{
    public static IEnumerable<Finding> Usable(Patient patient)
    {
        foreach (var worker in patient.Workers)
        {
            string key = $"[Worker:{worker.Id}]";
            if (worker.Control is null)
            {
                bool isTor = worker.Socks is SocksAnswer.Tor or SocksAnswer.SafeSocks or SocksAnswer.None;
                if (worker.Model is { IsTor: true, IsManaged: false } && isTor && !IsWatchedByDaemon(patient, worker.Id))
                {
                    yield return Finding.Note(
                        worker.Id, "without a control port its circuits and exits cannot be watched, and this examination sees half of it",
                        $"{key} ControlPort, with ControlPort 9051 and CookieAuthentication 1 in its torrc");
                }
            }
            else if (worker.Control is { Problem: { } problem, IsRefused: true })
            {
                yield return Finding.Error(
                    worker.Id, $"its control port {worker.Model.ControlEndPoint} does not let us in: {problem}",
                    $"let this user read the cookie (its group, debian-tor as a rule), name the file in {key} ControlCookie, or set "
                        + "ControlPassword to what HashedControlPassword was made of");
            }
            else if (worker.Control.Problem is { } trouble)
            {
                bool isMissing = worker.Model.ControlEndPoint is UnixDomainSocketEndPoint socket && !File.Exists(socket.ToString());
                yield return Finding.Error(
                    worker.Id,
                    isMissing ? $"its control port cannot be used: there is no socket {worker.Model.ControlEndPoint} that this user can see"
                        : $"its control port cannot be used: {trouble}",
                    $"ControlPort in its torrc and {key} ControlPort must name the same place");
            }
        }
    }

    /// <summary>Workers of a test network have control ports that only the daemon knows.</summary>
    private static bool IsWatchedByDaemon(Patient patient, string worker) => patient.Daemon.Workers is { } answer
        && answer.Items("workers").Any(one => one.Text("id") == worker && one.Member("tor")?.Flag("connected") == true);

    public static IEnumerable<Finding> Open(Patient patient) => patient.Workers
        .Where(static worker => worker.Control?.IsOpen == true && !worker.Model.IsManaged)
        .Select(static worker => Finding.Warning(
            worker.Id,
            $"its control port {worker.Model.ControlEndPoint} asks for neither cookie nor password: every program on its machine may "
                + "see all streams and change everything",
            "CookieAuthentication 1 in its torrc"));
}
