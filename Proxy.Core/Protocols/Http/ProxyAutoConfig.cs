using System.Buffers;
using System.Net;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>
/// The file from which browsers and desktops take their proxy (the "Proxy Auto-Configuration" of Netscape 2.0): JavaScript with a function
/// that is asked for each URL.
/// </summary>
internal static class ProxyAutoConfig
{
    /// <summary>Where a listener has it.</summary>
    public const string Path = "/proxy.pac";

    /// <summary>
    /// The same where clients look by themselves: at the host wpad of their network, or where their DHCP server says (Web Proxy
    /// Auto-Discovery, draft-ietf-wrec-wpad-01).
    /// </summary>
    public const string DiscoveryPath = "/wpad.dat";

    /// <summary>The one parameter: whose port of a listener with sessions by port is named.</summary>
    public const string SessionParameter = "session";

    private const int LongestSession = 64;

    public const string ContentType = "application/x-ns-proxy-autoconfig";

    // As in session-NAME of a user name.
    private static readonly SearchValues<char> SessionChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~");

    // What a host may be made of that is written into a program. HostEndPoint takes more names than that.
    private static readonly SearchValues<char> HostChars =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:");

    /// <summary>
    /// Everything goes through the proxy but what no exit could reach anyhow and <c>torbalancer env</c> leaves out too. There is no DIRECT
    /// to fall back on, and nothing that looks a name up (isInNet, dnsResolve): either would tell others where the browser goes.
    /// </summary>
    /// <param name="proxy">Where the asker reaches the listener.</param>
    /// <param name="http">The listener speaks HTTP.</param>
    /// <param name="socks5">The listener speaks SOCKS5; then that is tried where HTTP fails.</param>
    /// <param name="tls">The listener speaks TLS; browsers know HTTP inside it and no SOCKS.</param>
    public static string Build(HostEndPoint proxy, bool http, bool socks5, bool tls = false)
    {
        string chain = (http, socks5) switch
        {
            _ when tls => $"HTTPS {proxy}",
            (true, true) => $"PROXY {proxy}; SOCKS5 {proxy}",
            (true, false) => $"PROXY {proxy}",
            _ => $"SOCKS5 {proxy}",
        };
        return $$"""
            function FindProxyForURL(url, host) {
              if (host === "localhost" || host === "127.0.0.1" || host === "::1" || host === "[::1]")
                return "DIRECT";
              return "{{chain}}";
            }

            """;
    }

    /// <summary>True when this can stand in a program.</summary>
    public static bool CanName(HostEndPoint proxy) =>
        proxy is { Host.Length: > 0, Port: > 0 } && !proxy.Host.AsSpan().ContainsAnyExcept(HostChars);

    /// <summary>
    /// Names the port of a session in place of the one that was asked. Nothing of the session's name gets into the file: it picks one of
    /// the ports, always the same.
    /// </summary>
    /// <param name="session">What was asked for; null: nothing.</param>
    /// <param name="ports">Those that are sessions; null: the listener has none.</param>
    /// <param name="problem">Why not, for who asks.</param>
    public static bool TryPickSession(string? session, PortSessions? ports, ref HostEndPoint proxy, out string problem)
    {
        problem = "";
        if (session is null)
            return true;
        if (session.Length is 0 or > LongestSession || session.AsSpan().ContainsAnyExcept(SessionChars))
            problem = "session= takes a name of 1 to 64 letters, digits, '_' and '~', or a port";
        else if (ports is null)
            problem = "no session has a port of its own here; a listener with Session = port gives them";
        else if (HostEndPoint.TryCreate(proxy.Host, ports.Value.Of(session), out var named, out _))
            proxy = named;
        return problem.Length == 0;
    }

    /// <summary>Where the asker reaches us: what it says itself, since the port may be mapped; else our end of its connection.</summary>
    /// <param name="said">The Host field; the default: it named none that can be used.</param>
    /// <param name="local">Our end of the connection; null: it has no address.</param>
    /// <param name="proxy">One that <see cref="Build"/> can name.</param>
    public static bool TryFindProxy(HostEndPoint said, EndPoint? local, out HostEndPoint proxy)
    {
        proxy = said;
        if (CanName(said))
            return true;
        if (local is not IPEndPoint own)
            return false;
        proxy = HostEndPoint.FromAddress(own.Address, own.Port);
        return CanName(proxy);
    }
}
