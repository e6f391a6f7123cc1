using System.Net;
using TorBalancer.Admin.Metrics;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Server;

namespace TorBalancer.Admin;

/// <summary>Copies of what is, for people and programs that look on. Nothing here changes anything.</summary>
internal sealed class AdminViews(
    WorkerViews workers, ConnectionViews connections, UserViews users, ProxyServer server, SessionTable sessions, Live<LogOptions> log,
    MetricParts metrics)
{
    /// <summary>Those of workers.</summary>
    public WorkerViews Workers => workers;

    /// <summary>Those of client connections.</summary>
    public ConnectionViews Connections => connections;

    /// <summary>Those of users.</summary>
    public UserViews Users => users;

    /// <summary>What all metrics are read from.</summary>
    public MetricParts Metrics => metrics;

    /// <summary>
    /// What a browser is told to use: the first listener over TCP that it can speak to. Null: there is none.
    /// </summary>
    /// <param name="asked">The host by which the asker reached the admin API; that of a listener at all addresses too.</param>
    /// <param name="session">Then it is the port of this session, at the first listener with sessions by port; null: it is any.</param>
    /// <param name="problem">Why there is none.</param>
    public string? AutoConfig(HostEndPoint asked, string? session, out string problem)
    {
        problem = "no listener over TCP speaks HTTP or SOCKS5";
        foreach (var (listener, address) in server.Bound)
        {
            bool http = listener.Speaks(DetectedProtocol.Http), socks5 = listener.Speaks(DetectedProtocol.Socks5);
            if (address is not IPEndPoint own || !(http || (socks5 && listener.Tls is null)))
                continue;
            if (session is not null && listener.SessionPorts is null)
            {
                problem = "no listener has Session = port, which gives each port a session of its own";
                continue;
            }

            bool isAny = own.Address.Equals(IPAddress.Any) || own.Address.Equals(IPAddress.IPv6Any);
            var said = isAny && HostEndPoint.TryCreate(asked.Host, own.Port, out var host, out _) ? host : default;
            if (ProxyAutoConfig.TryFindProxy(said, isAny ? new IPEndPoint(IPAddress.Loopback, own.Port) : own, out var proxy))
            {
                return ProxyAutoConfig.TryPickSession(session, listener.SessionPorts, ref proxy, out problem)
                    ? ProxyAutoConfig.Build(proxy, http, socks5, listener.Tls is not null) : null;
            }
        }

        return null;
    }

    public int SessionCount => sessions.Count;

    /// <summary>Who knows a session's name and its user's can share its circuit: names are shown where targets are.</summary>
    public SessionsView Sessions() => new([.. sessions.List().Select(Of)]);

    private SessionView Of(SessionInfo session) => new()
    {
        Id = session.Id,
        Name = log.Value.Targets ? session.Name : null,
        Port = session.Port,
        Worker = session.WorkerId,
        AgeMs = Milliseconds(session.Age),
        IdleMs = Milliseconds(session.Idle),
        Uses = session.Uses,
        ExpiresMs = session.ExpiresIn is { } left ? Milliseconds(left) : null,
        UsesLeft = session.UsesLeft,
    };

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
