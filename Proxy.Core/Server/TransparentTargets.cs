using System.Collections.Frozen;
using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Routing;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Server;

/// <summary>
/// Where connections of transparent listeners were going. One that leads back here, or to a worker, is refused: it would go round and
/// round, each time through Tor.
/// </summary>
internal sealed partial class TransparentTargets(
    OwnPorts own, WorkerPool pool, VirtualNames virtuals, TimeProvider time, ILogger<TransparentTargets> logger)
{
    private static readonly TimeSpan SayAgainAfter = TimeSpan.FromMinutes(1);

    private WorkerPorts _workers = new(WorkerSnapshot.Empty, FrozenSet<IPEndPoint>.Empty);
    private readonly LocalAddressCache _local = new(time);
    private long _saidAt;

    /// <summary>The target of an accepted connection, or why it has none.</summary>
    public ProxyError Find(TransportConnection client, ListenerModel listener, out HostEndPoint target)
    {
        target = default;
        var original = listener.Transparent == TransparentWay.TProxy
            ? client.LocalEndPoint as IPEndPoint : client.OriginalDestination;
        if (original is null)
            return Refuse(listener, "was not turned here by NAT: nothing says where it was going");
        if (original.Address.IsIPv4MappedToIPv6)
            original = new IPEndPoint(original.Address.MapToIPv4(), original.Port);

        // What came straight to the listener has it as its target. No exit is to hear a public address of ours; private ones go no further
        // anyhow, and are looked at for few ports.
        if ((own.Has(original.Port) || PublicAddress.Is(original.Address)) && _local.Has(original.Address))
            return Refuse(listener, "leads to this machine itself");
        if (Workers().Contains(original))
            return Refuse(listener, "leads to a worker's own port: is what tor or the daemon sends redirected as well?");
        if (virtuals.Has(original.Address))
        {
            return virtuals.Find(original.Address) is { } name && HostEndPoint.TryCreate(name, original.Port, out target)
                ? default : new ProxyError(FailureCause.RouteRejected, "a virtual address that stands for no name, or for none any more");
        }

        target = HostEndPoint.FromAddress(original.Address, original.Port);
        return default;
    }

    /// <summary>Remembered as long as the workers are the same.</summary>
    private FrozenSet<IPEndPoint> Workers()
    {
        var snapshot = pool.Snapshot;
        var known = Volatile.Read(ref _workers);
        if (ReferenceEquals(known.Of, snapshot))
            return known.Ports;
        var ports = snapshot.AllWorkers
            .SelectMany(static worker => (EndPoint?[])[worker.Model.SocksEndPoint, worker.Model.ControlEndPoint])
            .OfType<IPEndPoint>()
            .ToFrozenSet();
        Volatile.Write(ref _workers, new WorkerPorts(snapshot, ports));
        return ports;
    }

    private ProxyError Refuse(ListenerModel listener, string problem)
    {
        long now = time.GetTimestamp(), said = Interlocked.Read(ref _saidAt);
        bool isDue = said == 0 || time.GetElapsedTime(said, now) >= SayAgainAfter;
        if (isDue && Interlocked.CompareExchange(ref _saidAt, now, said) == said)
            Log.Refused(logger, listener.Name, problem);
        return new ProxyError(FailureCause.RouteRejected, $"the connection {problem}");
    }

    private sealed record WorkerPorts(WorkerSnapshot Of, FrozenSet<IPEndPoint> Ports);

    private static partial class Log
    {
        [LoggerMessage(
            ServerEventIds.TransparentRefused, LogLevel.Warning,
            "Listener {Listener}: a connection was refused, and others may be: it {Problem}")]
        public static partial void Refused(ILogger logger, string listener, string problem);
    }
}
