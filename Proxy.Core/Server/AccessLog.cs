using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Forwarding;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// One line for each connection, when it ends, whatever became of it (an HTTP connection with several requests: one for
/// each request). Hosts and client addresses are left out unless the operator asks for them.
/// </summary>
internal sealed partial class AccessLog(ILogger<AccessLog> logger, Live<LogOptions> options, TimeProvider time)
{
    public void Write(ConnectionContext context)
    {
        if (!options.Value.Access || !logger.IsEnabled(LogLevel.Information))
            return;
        Log.Connection(
            logger, context.Id, context.Listener.Name, Client(context), context.Protocol.Word(), Target(context.Target),
            context.WorkerId ?? "-", Route(context),
            context.Exit ?? "-", context.Attempts, Milliseconds(context.ConnectTime), Milliseconds(time.GetElapsedTime(context.Started)),
            context.Counters.FromClient, context.Counters.FromUpstream, context.Error.Word, context.End is { } end ? Word(end) : "-");
    }

    /// <summary>One request of an HTTP connection in absolute form.</summary>
    public void WriteRequest(ConnectionContext context, in HttpExchange exchange)
    {
        if (!options.Value.Access || !logger.IsEnabled(LogLevel.Information))
            return;
        Log.Request(
            logger, context.Id, context.Requests, context.Listener.Name, Client(context), Target(exchange.Request?.Target),
            exchange.WorkerId ?? "-", Route(context),
            context.Exit ?? "-", exchange.Attempts, Milliseconds(exchange.ConnectTime), Milliseconds(exchange.Elapsed), exchange.FromClient,
            exchange.FromUpstream, exchange.Status, exchange.Error.Word);
    }

    public static string Word(TunnelEnd end) => end switch
    {
        TunnelEnd.Finished => "finished",
        TunnelEnd.ClientReset => "client_reset",
        TunnelEnd.UpstreamReset => "upstream_reset",
        TunnelEnd.UpstreamClosed => "upstream_closed",
        TunnelEnd.IdleTimeout => "idle_timeout",
        TunnelEnd.Drained => "drained",
        TunnelEnd.WorkerGone => "worker_gone",
        _ => "aborted",
    };

    private string Client(ConnectionContext context) => options.Value.Targets ? context.ClientAddress?.ToString() ?? "unix" : "-";

    /// <summary>Redacted, only the kind of host and the port remain: enough to see what fails, too little to see who was visited.</summary>
    /// <param name="target">The host that was asked for; null before the request.</param>
    /// <param name="shown">True when the operator wants to see targets.</param>
    public static string TargetText(HostEndPoint? target, bool shown)
    {
        if (target is not { } host)
            return "-";
        if (shown)
            return host.ToString();
        string kind = host.Address is null
            ? (host.IsOnion ? "onion" : "name")
            : host.Address.AddressFamily == AddressFamily.InterNetworkV6 ? "ipv6" : "ipv4";
        return $"({kind}):{host.Port}";
    }

    private string Target(HostEndPoint? target) => TargetText(target, options.Value.Targets);

    private static string Route(ConnectionContext context) => context.WorkerId is null ? "-" : context.ViaLink ? "wireguard" : "socks";

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private static partial class Log
    {
        [LoggerMessage(
            ServerEventIds.Access, LogLevel.Information,
            "{Id} listener={Listener} client={Client} protocol={Protocol} target={Target} worker={Worker} route={Route} exit={Exit} "
                + "attempts={Attempts} connect_ms={ConnectMs} total_ms={TotalMs} sent={Sent} received={Received} cause={Cause} end={End}",
            EventName = "access", SkipEnabledCheck = true)]
        public static partial void Connection(
            ILogger logger, string id, string listener, string client, string protocol, string target, string worker, string route,
            string exit, int attempts, long connectMs, long totalMs, long sent, long received, string cause, string end);

        [LoggerMessage(
            ServerEventIds.RequestAccess, LogLevel.Information,
            "{Id}.{Number} listener={Listener} client={Client} protocol=http target={Target} worker={Worker} route={Route} exit={Exit} "
                + "attempts={Attempts} connect_ms={ConnectMs} total_ms={TotalMs} sent={Sent} received={Received} status={Status} "
                + "cause={Cause}",
            EventName = "access_request", SkipEnabledCheck = true)]
        public static partial void Request(
            ILogger logger, string id, int number, string listener, string client, string target, string worker, string route, string exit,
            int attempts, long connectMs, long totalMs, long sent, long received, int status, string cause);
    }
}
