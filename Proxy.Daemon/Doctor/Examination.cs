using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Doctor.Checks;
using TorBalancer.Daemon.Tor;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Doctor;

/// <summary>Learns all that the checks want to know: from the daemon, when one runs, from the workers, and from this machine.</summary>
/// <param name="session">The daemon that is meant.</param>
/// <param name="progress">Told what is being looked at, for people who wait.</param>
internal sealed class Examination(DaemonSession session, SystemFacts system, TimeProvider time, Action<string> progress)
{
    public async Task<Patient> RunAsync(ConfigurationResult configuration, CancellationToken cancellationToken)
    {
        progress("the daemon");
        var daemon = await DaemonAsync(cancellationToken);
        var models = Models(configuration.Options, daemon);
        int left = models.Count;
        if (left > 0)
            progress(Terminal.Units.Count(left, "worker"));
        var workers = await Task.WhenAll(models.Select(model => WorkerAsync(model, cancellationToken)));
        var firewall = GatewayChecks.IsGateway(configuration.Options) ? await FirewallState.AskAsync(cancellationToken) : null;
        return new Patient(configuration, daemon, workers, system, time.GetUtcNow()) { Firewall = firewall };
    }

    private async Task<DaemonState> DaemonAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await session.GetAsync("/api/v1/workers", cancellationToken);
            return new DaemonState(answer.RootElement.Clone(), "", ProcessId: PeerOf(session.Place));
        }
        catch (DaemonException failure)
        {
            string[] lines = failure.Message.Split('\n');
            string why = string.Join("; ", lines.Where(static line => line.StartsWith(' ')).Select(static line => line.Trim()));

            // One that has answered is there, whatever it asks for.
            return new DaemonState(null, why.Length > 0 ? why : lines[0], session.IsForbidden || session.Place.Length > 0);
        }
    }

    private async Task<ExaminedWorker> WorkerAsync(WorkerModel model, CancellationToken cancellationToken)
    {
        var (answer, problem) = await SocksExaminer.AskAsync(model, cancellationToken);
        var control = model.ControlEndPoint is null ? null : await ControlExaminer.AskAsync(model, time, cancellationToken);
        return new ExaminedWorker(model, answer, problem, control);
    }

    /// <summary>
    /// The configured ones, and those that a daemon has besides: of those that it has started the sockets, as far as this user may see
    /// them, of those that were added while it runs the address.
    /// </summary>
    private static List<WorkerModel> Models(TorBalancerOptions options, DaemonState daemon)
    {
        List<WorkerModel> models = [.. options.Workers.Select(WorkerModel.Of)];
        var managed = options.ManagedWorkers;
        var paths = ManagedWorkerPaths.Resolve(managed.DataDirectory, managed.Count, Environment.GetEnvironmentVariable);
        foreach (var worker in daemon.Workers?.Items("workers") ?? [])
        {
            string id = worker.Text("id") ?? "";
            if (models.Exists(model => model.Id == id))
                continue;
            if (worker.Flag("managed") != true)
            {
                if (AddressLiteral.TryParseEndPoint(worker.Text("address"), out var address) && address.Port > 0)
                    models.Add(new WorkerModel(id, address, Country: worker.Text("country") ?? ""));
            }
            else if (paths.SocksSocket(id) is { } socks && paths.ControlSocket(id) is { } control && File.Exists(control))
            {
                models.Add(new WorkerModel(
                    id, new UnixDomainSocketEndPoint(socks), IsManaged: true, ControlEndPoint: new UnixDomainSocketEndPoint(control)));
            }
        }

        return models;
    }

    /// <summary>Who holds a unix socket (SO_PEERCRED of unix(7)); null: it is none, or in another namespace.</summary>
    private static int? PeerOf(string place)
    {
        const string unix = "unix:";
        const int solSocket = 1, soPeerCred = 17;
        if (!place.StartsWith(unix, StringComparison.Ordinal))
            return null;
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(place[unix.Length..]));

            // struct ucred: process, user, group.
            var credentials = new byte[12];
            socket.GetRawSocketOption(solSocket, soPeerCred, credentials);
            return MemoryMarshal.Read<int>(credentials) is > 0 and var process ? process : null;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
