using System.Net;
using TorBalancer.Daemon.Tor;
using TorBalancer.Health;
using TorBalancer.TorControl;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Hosting;

/// <summary>
/// Keeps the pool in step with the managed workers: one carries traffic from the moment its bootstrap is done until its
/// process ends. Addresses go into the pool; states go by way of health, which is their only writer.
/// </summary>
internal sealed class ManagedWorkerPoolSink(WorkerPool pool, HealthMonitor health) : IManagedWorkerSink
{
    /// <summary>The address is known once the process is ready; until then nothing picks the worker.</summary>
    public static WorkerModel Placeholder(string id, string country) =>
        new(id, new IPEndPoint(IPAddress.Loopback, 0), Country: country, IsManaged: true);

    public void Starting(string id, BootstrapStatus status)
    {
        if (pool.Find(id) is { } worker)
            health.ProcessStarting(worker, $"bootstrapping, {status.Progress} %: {status.Summary}{Problem(status)}");
    }

    public void Ready(string id, EndPoint? socks, EndPoint control, string cookiePath)
    {
        if (pool.Find(id) is not { } worker || socks is null)
            return;
        pool.Replace(worker, worker.Model with { SocksEndPoint = socks, ControlEndPoint = control, ControlCookie = cookiePath });
        health.ProcessReady(worker);
    }

    /// <summary>tor's own words: that it cannot reach a bridge, for instance, and why.</summary>
    private static string Problem(BootstrapStatus status) => status.Warning is { } warning ? $"; {warning}{status.Where}" : "";

    public void Down(string id, string reason)
    {
        if (pool.Find(id) is { } worker)
            health.ProcessDown(worker, reason);
    }
}
