using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TorBalancer.Primitives;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Keeps web pages out. On loopback there need be no password: whoever can connect may ask, and a browser on this machine can
/// connect on behalf of any page. Three things give such requests away: a Host that is not ours (DNS rebinding), an Origin
/// that is not ours, and Sec-Fetch-Site. Nothing here ever sends a CORS header.
/// </summary>
internal static class AdminGuard
{
    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";

        // A unix socket has no address, and no page can reach one. Beyond loopback whoever asks must have the token, which no page has, and
        // the daemon goes by names that nobody has told it.
        bool overTcp = context.Connection.LocalIpAddress is not null;
        if (overTcp
            && HostOf(context) is { } host
            && IPAddress.IsLoopback(Plain(context.Connection.LocalIpAddress!))
            && !IsOurHost(host, context.Connection.LocalPort, context.Connection.LocalIpAddress!.ToString()))
            return context.WriteProblemAsync(
                StatusCodes.Status421MisdirectedRequest, "Host must be the address of the admin API, or localhost, with its port or none");
        if (!IsOurOrigin(context.Request))
            return context.WriteProblemAsync(
                StatusCodes.Status403Forbidden, "requests of web pages from elsewhere are not answered (Origin)");
        if (context.Request.Headers["Sec-Fetch-Site"] is { Count: > 0 } site && site != "same-origin" && site != "none")
        {
            // A link of another site is not followed either: who is led to buttons by it may be made to press one.
            bool isLink = context.Request.Headers["Sec-Fetch-Mode"] == "navigate";
            return context.WriteProblemAsync(
                StatusCodes.Status403Forbidden, "requests of web pages from elsewhere are not answered (Sec-Fetch-Site)"
                    + (isLink ? "; type the address, or keep it as a bookmark" : ""));
        }

        return next(context);
    }

    /// <summary>True for "/" and "*" (RFC 9112, section 3.2.4): not a thing of the server's but the server.</summary>
    public static bool IsServerItself(HttpContext context) => context.Request.Path.Value is "/" || TargetOf(context) == "*";

    /// <summary>
    /// Which server the client means; null when it does not say: HTTP/1.0 allows that, and an empty Host is the same (RFC 9112, section
    /// 3.2; the web server answers 400 to the others, and where Host differs from an absolute target). Load balancers' checks are like
    /// that; browsers always send a Host, and no URL has an empty one, so it cannot be a page's doing.
    /// </summary>
    private static string? HostOf(HttpContext context)
    {
        if (context.Request.Host.Value is { Length: > 0 } host)
            return host;

        // Absolute form names the server too (section 3.2.2).
        string target = TargetOf(context);
        int authority = target.IndexOf("://", StringComparison.Ordinal);
        if (authority < 0 || target[0] == '/')
            return null;
        string rest = target[(authority + "://".Length)..];
        int end = rest.AsSpan().IndexOfAny('/', '?', '#');
        return end < 0 ? rest : rest[..end];
    }

    private static string TargetOf(HttpContext context) => context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";

    /// <summary>
    /// With our port or none: what gives a page of elsewhere away is its name. These cannot be led to another address: they are addresses
    /// themselves, or localhost (RFC 6761, section 6.3).
    /// </summary>
    internal static bool IsOurHost(string? host, int port, string localAddress)
    {
        if (string.IsNullOrEmpty(host))
            return false;
        string suffix = string.Create(CultureInfo.InvariantCulture, $":{port}");
        string name = host.EndsWith(suffix, StringComparison.Ordinal) ? host[..^suffix.Length] : host;
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.Equals("localhost.", StringComparison.OrdinalIgnoreCase)
            || (name.StartsWith("127.", StringComparison.Ordinal) && AddressLiteral.TryParse(name, out _))
            || name == "[::1]"
            || name == localAddress
            || name == $"[{localAddress}]";
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static bool IsOurOrigin(HttpRequest request)
    {
        var origin = request.Headers.Origin;
        return origin.Count == 0 || (origin.Count == 1 && request.Host.HasValue && origin[0] == $"{request.Scheme}://{request.Host.Value}");
    }
}
