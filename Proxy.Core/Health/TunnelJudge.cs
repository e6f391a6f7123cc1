using Microsoft.Extensions.Logging;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Health;

/// <summary>What becomes of a worker's tunnels when it goes: apart from whether it takes new connections.</summary>
internal sealed partial class TunnelJudge(IWorkerConnections connections, TimeProvider time, ILogger logger)
{
    /// <param name="isOut">It is out of service now.</param>
    /// <param name="isStarting">It is a managed worker that starts: nobody probes it.</param>
    /// <returns>True when a probe after <see cref="GoneWatch.Grace"/> should confirm or refute that it is gone.</returns>
    public bool Judge(MonitoredWorker worker, in HealthSignal signal, bool isOut, bool isStarting)
    {
        string id = worker.Worker.Id;
        if (signal.Kind == HealthSignalKind.ProcessDown)
        {
            // Its sockets were closed with it; clients had better reconnect now.
            if (connections.EndTunnels(id) is > 0 and var ended)
                Log.TunnelsEnded(logger, id, ended);
            return false;
        }

        if (IsAnswer(signal.Kind) || signal.Proof == GoneProof.Alive)
        {
            worker.Gone?.Refuted();
            return false;
        }

        if (signal.Proof == GoneProof.None)
            return false;

        // A real connection may have failed over the link only, where its TransPort or our own interface is at fault; what goes
        // by SOCKS is judged by the probe, which asks there.
        var model = worker.Worker.Model;
        bool isProbe = signal.Kind == HealthSignalKind.ProbeFailed;
        bool onlyOverLink = model.Link is not null && (!isProbe || signal.Proof == GoneProof.LinkDown)
            && model.RequestTo(model.SocksEndPoint).LocalInterface is null;

        // That nothing listens is as certain as it can be at the second look; that nothing is reached takes all that makes a worker dead.
        var gone = worker.Gone
            ?? worker.WatchTunnels(new GoneWatch(id, connections, time, (worker, count) => Log.TunnelsEnded(logger, worker, count)));
        return gone.Proven(onlyOverLink, isFinal: isProbe && signal.Proof == GoneProof.Refused, isOut) && !isStarting;
    }

    private static bool IsAnswer(HealthSignalKind kind) => kind
        is HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed or HealthSignalKind.Enable or HealthSignalKind.ProcessReady;

    private static partial class Log
    {
        [LoggerMessage(HealthEventIds.TunnelsEnded, LogLevel.Warning, "Worker {Worker} is gone: {Count} connections through it were ended")]
        public static partial void TunnelsEnded(ILogger logger, string worker, int count);
    }
}
