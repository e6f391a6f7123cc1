using TorBalancer.Workers;

namespace TorBalancer.Health;

// What becomes of a worker's tunnels when it goes: apart from whether it takes new connections.
internal sealed partial class HealthMonitor
{
    /// <param name="isOut">It is out of service now.</param>
    /// <param name="isStarting">It is a managed worker that starts: nobody probes it.</param>
    private void JudgeTunnels(WorkerHealth health, in HealthSignal signal, bool isOut, bool isStarting)
    {
        if (_connections is null)
            return;
        if (signal.Kind == HealthSignalKind.ProcessDown)
        {
            // Its sockets were closed with it; clients had better reconnect now.
            if (_connections.EndTunnels(health.Worker.Id) is > 0 and var ended)
                Log.TunnelsEnded(_logger, health.Worker.Id, ended);
            return;
        }

        bool isAnswer = signal.Kind is HealthSignalKind.TrafficSucceeded or HealthSignalKind.ProbePassed or HealthSignalKind.Enable or HealthSignalKind.ProcessReady;
        if (isAnswer || signal.Proof == GoneProof.Alive)
        {
            health.Gone?.Refuted();
            return;
        }

        if (signal.Proof == GoneProof.None)
            return;

        // A real connection may have failed over the link only, where its TransPort or our own interface is at fault; what goes
        // by SOCKS is judged by the probe, which asks there.
        var model = health.Worker.Model;
        bool isProbe = signal.Kind == HealthSignalKind.ProbeFailed;
        bool onlyOverLink = model.Link is not null && (!isProbe || signal.Proof == GoneProof.LinkDown) && model.RequestTo(model.SocksEndPoint).LocalInterface is null;

        // That nothing listens is as certain as it can be at the second look; that nothing is reached takes all that makes a worker dead.
        var gone = health.Gone ?? health.WatchTunnels(new GoneWatch(health.Worker.Id, _connections, _time, (id, count) => Log.TunnelsEnded(_logger, id, count)));
        if (gone.Proven(onlyOverLink, isFinal: isProbe && signal.Proof == GoneProof.Refused, isOut) && !isStarting)
        {
            health.LookAgainAt(Now + GoneWatch.Grace);
            health.Wake();
        }
    }
}
