using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Testnet;
using TorBalancer.Daemon.Tor;
using TorBalancer.Health;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Fills the pool before the listeners open: with the workers of the file, of a private network (--testnet), or with tor
/// processes of our own. Stopped last, so that tunnels can drain through them.
/// </summary>
internal sealed class WorkersHostedService(
    WorkerPool pool, HealthMonitor health, TorBalancerOptions options, StartSource source, StartHints hints, TimeProvider time, ILogger<WorkersHostedService> logger)
    : IHostedService, IAsyncDisposable
{
    private TestNetwork? _network;
    private ManagedTorWorkers? _managed;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (source.Testnet)
            await StartTestnetAsync(cancellationToken);
        else if (options.Workers.Count > 0)
            pool.Apply([.. options.Workers.Select(ModelOf)]);
        else
            StartManaged();
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_managed is not null)
            await _managed.DisposeAsync();
        _managed = null;
        if (_network is not null)
            await _network.DisposeAsync();
        _network = null;
    }

    private static WorkerModel ModelOf(WorkerOptions worker) => new(
        worker.Name, worker.SocksEndPoint, worker.Weight, worker.Country, IsManaged: false, worker.ControlEndPoint, LinkOf(worker))
    {
        ControlCookie = worker.ControlCookie.Length == 0 ? null : worker.ControlCookie,
        ControlPassword = worker.ControlPassword.Length == 0 ? null : worker.ControlPassword,
        IsTor = worker.IsTor,
    };

    private static WireGuardLink? LinkOf(WorkerOptions worker) => worker.WgInterface.Length == 0 ? null : new WireGuardLink(
        worker.WgInterface,
        worker.WgHostAddresses.FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetwork),
        worker.WgHostAddresses.FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetworkV6),
        worker.WgWorkerAddress,
        worker.DnsEndPoint);

    private void StartManaged()
    {
        string? tor = TorExecutable.Find(options.ManagedWorkers.TorPath);
        if (tor is null)
        {
            throw new StartupException(
                $"no [Worker:…] is configured and no tor was found (TorPath = {options.ManagedWorkers.TorPath}): install tor, or configure workers, or try --testnet");
        }

        try
        {
            var managed = options.ManagedWorkers;
            var paths = ManagedWorkerPaths.Resolve(managed.DataDirectory, managed.Count, Environment.GetEnvironmentVariable);
            _managed = new ManagedTorWorkers(managed, tor, paths, [], new ManagedWorkerPoolSink(pool, health), logger, time);
            pool.Apply([.. _managed.Ids.Select(ManagedWorkerPoolSink.Placeholder)], WorkerOperationalState.Recovery);
            _managed.Start();
        }
        catch (ManagedWorkersException failure)
        {
            throw new StartupException(failure.Message, failure);
        }
    }

    private async Task StartTestnetAsync(CancellationToken cancellationToken)
    {
        try
        {
            _network = await TestNetwork.StartAsync(new TestNetworkOptions(), progress: null, logger, time, cancellationToken);
        }
        catch (TestNetworkException failure)
        {
            throw new StartupException($"the private Tor network did not start: {failure.Message}", failure);
        }

        // Nothing else can be reached from in there.
        options.Health.Canary = [$"http://{TestNetwork.OriginName}:{_network.OriginPort}/"];
        options.Health.OnionCanary = "";
        pool.Apply([.. _network.Workers.Select(static node => new WorkerModel(
            node.Name, new IPEndPoint(IPAddress.Loopback, node.SocksPort),
            ControlEndPoint: new UnixDomainSocketEndPoint(node.ControlPath)) { ControlCookie = node.CookiePath })]);
        string origin = $"http://{TestNetwork.OriginName}:{_network.OriginPort}/", onion = $"http://{_network.OnionAddress}/";
        hints.Add(listener => $"curl -x http://{listener} {origin}");
        hints.Add(listener => $"curl -x socks5h://{listener} {onion}");
    }
}
