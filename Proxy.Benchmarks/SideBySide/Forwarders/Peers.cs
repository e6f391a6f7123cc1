namespace TorBalancer.Benchmarks.SideBySide.Forwarders;

/// <summary>What a user would take instead of us, from Debian's packages.</summary>
internal static class Peers
{
    /// <summary>Half of the descriptors that the runs allow, less some for itself and its pipes.</summary>
    private const int HaProxyConnections = 9_500;

    public static ForwarderSpec HaProxy(bool splice) => new(
        splice ? "haproxy-splice" : "haproxy",
        site =>
            site.Logged(
                $"haproxy -db -f {site.Write("haproxy.cfg", HaProxyConfiguration(site, splice))}", splice ? "haproxy-splice" : "haproxy"))
    {
        What = splice
            ? "TCP mode, splice forced both ways, 256 KiB pipes; passes SOCKS5 through"
            : "TCP mode, no splice; passes SOCKS5 through",
        VersionCommand = "haproxy -v",
    };

    public static ForwarderSpec V2Ray() => new(
        "v2ray", static site => site.Logged($"v2ray -config {site.Write("v2ray.json", V2RayConfiguration(site))}", "v2ray"))
    {
        What = "SOCKS or HTTP in, SOCKS out, balancer of the stub's ports",
        VersionCommand = "v2ray -version",
        SpeaksConnect = true,
    };

    public static ForwarderSpec Microsocks() => new(
        "microsocks", static site => site.Logged($"microsocks -i 127.0.0.1 -p {site.Port}", "microsocks"))
    {
        What = "SOCKS5 in, dials by itself; the load speaks a second SOCKS5 through it",
        DialsDirectly = true,
        VersionCommand = "dpkg-query -W -f '${Package} ${Version}' microsocks",
    };

    private static string HaProxyConfiguration(ForwarderSite site, bool splice) => $"""
        global
            nbthread 1
            maxconn {HaProxyConnections}
        {(splice ? "    tune.pipesize 262144\n    maxpipes 200" : "    nosplice")}
        defaults
            mode tcp
            timeout connect 5s
            timeout client 1h
            timeout server 1h
        {(splice ? "    option splice-request\n    option splice-response" : "")}
        listen workers
            bind 127.0.0.1:{site.Port}
            balance roundrobin
        {string.Join('\n', site.Workers.Select(static (port, index) => $"    server worker-{index} 127.0.0.1:{port}"))}

        """;

    private static string V2RayConfiguration(ForwarderSite site)
    {
        string workers = string.Join(",\n    ", site.Workers.Select(static (port, index) =>
            $$"""
            {"tag": "worker-{{index}}", "protocol": "socks",
             "settings": {"servers": [{"address": "127.0.0.1", "port": {{port}} }] } }
            """));
        return $$"""
            {
              "log": {"access": "/dev/null", "loglevel": "none"},
              "inbounds": [
                {"listen": "127.0.0.1", "port": {{site.Port}}, "protocol": "socks", "settings": {"auth": "noauth", "udp": false} },
                {"listen": "127.0.0.1", "port": {{site.SecondPort}}, "protocol": "http"}
              ],
              "outbounds": [
                {{workers}}
              ],
              "routing": {
                "balancers": [{"tag": "workers", "selector": ["worker-"]}],
                "rules": [{"type": "field", "network": "tcp", "balancerTag": "workers"}]
              }
            }
            """;
    }
}
