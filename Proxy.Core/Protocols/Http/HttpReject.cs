using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>Why a request is not served. The status is the more exact one where the cause's own (400) would say less.</summary>
internal readonly record struct HttpReject(ProxyError Error, int Status)
{
    /// <summary>What a client is told that takes us for a web server, be it a person or a page that rebinds a name to us.</summary>
    public const string ThisIsAProxy =
        "this is a proxy, not a web site; enter this address as the HTTP or SOCKS proxy of your program (the admin page has an address of its own)";

    public static HttpReject BadRequest(string detail) => new(new ProxyError(FailureCause.BadRequest, detail), 400);

    public static HttpReject Of(int status, string detail) => new(new ProxyError(FailureCause.BadRequest, detail), status);

    public static HttpReject ForScan(HttpScanStatus status) => status switch
    {
        HttpScanStatus.BareLineFeed => BadRequest("a line that ends without CR LF"),
        HttpScanStatus.FirstLineTooLong => Of(414, "the request line is too long"),
        HttpScanStatus.TooLarge => Of(431, "the request head is too large"),
        _ => Of(431, "too many field lines"),
    };
}
