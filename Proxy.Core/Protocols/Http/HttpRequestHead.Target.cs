using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

internal sealed partial class HttpRequestHead
{
    // The last authority of an absolute target: most clients ask one host for one thing after the other.
    private byte[] _authority = [];
    private int _authorityLength;

    private const int LeastAuthority = 32;

    private static readonly byte[] AutoConfigPath = Encoding.ASCII.GetBytes(ProxyAutoConfig.Path);
    private static readonly byte[] DiscoveryPath = Encoding.ASCII.GetBytes(ProxyAutoConfig.DiscoveryPath);
    private static readonly byte[] SessionQuery = Encoding.ASCII.GetBytes($"?{ProxyAutoConfig.SessionParameter}=");

    //  authority-form = uri-host ":" port     (RFC 9112, section 3.2.3); no user information, and no program sends any here
    private bool ParseConnectTarget((int Start, int Length) target, out HttpReject reject)
    {
        reject = default;
        _path = (target.Start, 0);
        if (!TryParseAuthority(Span(target.Start, target.Length), defaultPort: null, out var endPoint, out string? problem))
            return Refuse(
                HttpReject.BadRequest($"CONNECT needs host:port (a port is required, IPv6 addresses stand in brackets): {problem}"),
                out reject);
        Target = endPoint;
        _authorityLength = 0;
        return true;
    }

    //  absolute-form = "http://" authority path-abempty [ "?" query ]     (RFC 9112, section 3.2.2)
    //  authority     = [ userinfo "@" ] host [ ":" port ]                 (RFC 3986, section 3.2)
    private bool ParseAbsoluteTarget((int Start, int Length) range, out HttpReject reject)
    {
        reject = default;
        var target = Span(range.Start, range.Length);
        IsAboutProxy = target is [(byte)'*'] && Method == "OPTIONS" && IsForThisMachine();
        _path = (range.Start, 0);
        AsksForAutoConfig = Method is "GET" or "HEAD" && IsAutoConfig(target);
        if (IsAboutProxy || AsksForAutoConfig)
            return true;
        if (target[0] == '/' || target is [(byte)'*'])
            return Refuse(HttpReject.BadRequest(HttpReject.ThisIsAProxy), out reject);
        int colon = target.IndexOf("://"u8);
        if (colon <= 0)
            return Refuse(HttpReject.BadRequest("the request target is not an absolute http:// URI"), out reject);
        if (HttpChars.EqualsIgnoreCase(target[..colon], "https"u8))
            return Refuse(HttpReject.BadRequest("https:// cannot be asked for in the clear; use CONNECT host:443"), out reject);
        if (!HttpChars.EqualsIgnoreCase(target[..colon], "http"u8))
            return Refuse(HttpReject.BadRequest("only http:// URIs are forwarded; use CONNECT for anything else"), out reject);

        var rest = target[(colon + 3)..];
        int end = rest.IndexOfAny((byte)'/', (byte)'?');
        if (end < 0)
            end = rest.Length;
        var authority = rest[..end];

        // Many clients leave user and password there, though they must not (RFC 9110, section 4.2.4), and send the Authorization
        // field themselves. It goes no further, neither to the target nor into a log. The last '@' ends it: a host has none.
        int at = authority.LastIndexOf((byte)'@');

        // No URI has a backslash; browsers take it for a '/' (URL Standard), and what stands before it for the host.
        if (at > 0 && authority[..at].Contains((byte)'\\'))
            return Refuse(HttpReject.BadRequest("the URI has a backslash in its authority"), out reject);
        authority = authority[(at + 1)..];
        if (authority.IsEmpty || !authority.SequenceEqual(_authority.AsSpan(0, _authorityLength)))
        {
            _authorityLength = 0;
            if (!TryParseAuthority(authority, defaultPort: 80, out var endPoint, out string? problem))
                return Refuse(HttpReject.BadRequest($"the URI names no valid host and port: {problem}"), out reject);
            Target = endPoint;
            if (authority.Length > _authority.Length)
                _authority = new byte[Math.Max(LeastAuthority, authority.Length)];
            authority.CopyTo(_authority);
            _authorityLength = authority.Length;
        }

        _path = (range.Start + colon + 3 + end, rest.Length - end);
        return true;
    }

    /// <summary>One of the paths of <see cref="ProxyAutoConfig"/>, with its one parameter or without.</summary>
    private bool IsAutoConfig(ReadOnlySpan<byte> target)
    {
        byte[]? path = target.StartsWith(AutoConfigPath) ? AutoConfigPath : target.StartsWith(DiscoveryPath) ? DiscoveryPath : null;
        if (path is null)
            return false;
        var query = target[path.Length..];
        if (query.StartsWith(SessionQuery))
            AutoConfigSession = Encoding.Latin1.GetString(query[SessionQuery.Length..]);
        return query.IsEmpty || AutoConfigSession is not null;
    }

    /// <summary>What the Host field names; the default when that is nothing, or no host.</summary>
    public HostEndPoint SaidHost()
    {
        foreach (ref readonly var field in Fields)
        {
            if (field.Id == HttpFieldId.Host && TryParseAuthority(Value(field), defaultPort: 80, out var host, out _))
                return host;
        }

        return default;
    }

    /// <summary>
    /// True when Host names an address, or localhost. A page that has its own name lead to us, so as to find out that there is a proxy,
    /// has that name there (spec.torproject.org/http-connect, "Avoiding cross-site probing attacks").
    /// </summary>
    private bool IsForThisMachine()
    {
        foreach (ref readonly var field in Fields)
        {
            if (field.Id == HttpFieldId.Host)
                return TryParseAuthority(Value(field), defaultPort: 80, out var host, out _)
                    && (host.Address is not null || host.Host == "localhost");
        }

        return MinorVersion == 0;
    }

    private static bool TryParseAuthority(ReadOnlySpan<byte> authority, int? defaultPort, out HostEndPoint endPoint, out string? problem)
    {
        endPoint = default;
        problem = "not a host name or an IP address";
        Span<char> chars = stackalloc char[HostEndPoint.MaxHostLength + 8];
        if (authority.Length > chars.Length || !Ascii.IsValid(authority))
            return false;
        Encoding.ASCII.GetChars(authority, chars);
        return HostEndPoint.TryParseAuthority(chars[..authority.Length], defaultPort, out endPoint, out problem);
    }

    /// <summary>
    /// RFC 9112, section 3.2: one Host field. Its value does not count, the authority does (3.2.2). CONNECT may come
    /// without: many small tunnelling programs leave it out, and nothing is ever forwarded from there.
    /// </summary>
    private bool CheckHost(out HttpReject reject)
    {
        reject = default;
        int hosts = 0;
        foreach (ref readonly var field in Fields)
        {
            if (field.Id != HttpFieldId.Host)
                continue;
            if (++hosts > 1)
                return Refuse(HttpReject.BadRequest("several Host fields"), out reject);

            // Clients copy user and password from the target.
            var host = Value(field)[(Value(field).LastIndexOf((byte)'@') + 1)..];
            if (host.ContainsAny(HttpChars.HostForbidden) || !Ascii.IsValid(host))
                return Refuse(HttpReject.BadRequest("the Host field is not a host"), out reject);
        }

        return hosts == 1 || MinorVersion == 0 || IsConnect || Refuse(HttpReject.BadRequest("HTTP/1.1 needs a Host field"), out reject);
    }
}
