using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>
/// A client that asks for addresses only has looked its names up itself, outside Tor (curl's socks5:// does). Said once
/// for each client. torsocks resolves through us first, so a client that did is not suspected.
/// </summary>
internal sealed partial class IpOnlyClientNotice(ILogger<IpOnlyClientNotice> logger)
{
    private const int MaxRemembered = 1024;

    private readonly Lock _lock = new();
    private readonly HashSet<IPAddress> _done = [];

    public void Observe(ListenerModel listener, IPAddress? client, ProxyRequest request)
    {
        if (client is null || (request.Command == ProxyCommand.Connect && request.Target.Address is null))
            return;
        bool resolved = request.Command != ProxyCommand.Connect;
        if (!resolved
            && (IPAddress.IsLoopback(request.Target.Address!)
                || request.Protocol is ClientProtocol.HttpConnect or ClientProtocol.HttpForward or ClientProtocol.Transparent))
            return;
        lock (_lock)
        {
            if (_done.Count >= MaxRemembered || !_done.Add(client) || resolved)
                return;
        }

        Log.IpOnly(logger, listener.Name);
    }

    private static partial class Log
    {
        [LoggerMessage(
            ServerEventIds.IpOnlyClient, LogLevel.Warning,
            "A client of listener {Listener} connects to IP addresses instead of names: it may look names up outside Tor. Use "
                + "socks5h://, socks4a:// or http:// in its proxy setting.")]
        public static partial void IpOnly(ILogger logger, string listener);
    }
}
