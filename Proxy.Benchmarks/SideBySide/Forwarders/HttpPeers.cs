namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

/// <summary>What a user would take instead of us for HTTP requests in absolute form, from Debian's packages.</summary>
internal static class HttpPeers
{
    public const string HaProxyName = "haproxy-http", PrivoxyName = "privoxy", TinyproxyName = "tinyproxy";

    private const int MostClients = 2_000;

    public static ForwarderSpec HaProxy() => new(
        HaProxyName, static site => site.Logged($"haproxy -db -f {site.Write("haproxy.cfg", HaProxyConfiguration(site))}", HaProxyName))
    {
        What = "HTTP mode, straight to the origin: it speaks no SOCKS upstream; a connection of its own for each client's",
        VersionCommand = "haproxy -v",
        SpeaksHttp = true,
        Tunnels = false,
    };

    /// <summary>Without the action and filter files of its package: what they do is no part of forwarding.</summary>
    public static ForwarderSpec Privoxy() => new(
        PrivoxyName, static site => site.Logged(
            $"privoxy --no-daemon {site.Write("privoxy.conf", $"""
                confdir {site.Directory}
                listen-address 127.0.0.1:{site.Port}
                forward-socks5t / 127.0.0.1:{site.Workers[0]} .
                keep-alive-timeout 300
                default-server-timeout 300
                connection-sharing 0
                tolerate-pipelining 1
                socket-timeout 300
                max-client-connections {MostClients}

                """)}", PrivoxyName))
    {
        What = "SOCKS out (forward-socks5t), keep-alive, no filter and no action, no log",
        VersionCommand = "dpkg-query -W -f '${Package} ${Version}' privoxy",
        SpeaksHttp = true,
        Tunnels = false,
    };

    public static ForwarderSpec Tinyproxy() => new(
        TinyproxyName, static site => site.Logged(
            $"tinyproxy -d -c {site.Write("tinyproxy.conf", $"""
                Port {site.Port}
                Listen 127.0.0.1
                Timeout 300
                MaxClients {MostClients}
                DisableViaHeader Yes
                LogLevel Critical
                Upstream socks5 127.0.0.1:{site.Workers[0]}

                """)}", TinyproxyName))
    {
        What = "SOCKS out, no log; ends the connection behind each request",
        VersionCommand = "tinyproxy -v",
        SpeaksHttp = true,
        KeepsAlive = false,
        Tunnels = false,
    };

    private static string HaProxyConfiguration(ForwarderSite site) => $"""
        global
            nbthread 1
            maxconn {MostClients}
        defaults
            mode http
            http-reuse never
            timeout connect 5s
            timeout client 1h
            timeout server 1h
        listen origin
            bind 127.0.0.1:{site.Port}
            server origin 127.0.0.1:{site.OriginPort}

        """;
}
