using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>Why a request is not served. The status is the more exact one where the cause's own (400) would say less.</summary>
internal readonly record struct HttpReject(ProxyError Error, int Status)
{
    /// <summary>What a client is told that takes us for a web server, be it a person or a page that rebinds a name to us.</summary>
    public const string ThisIsAProxy =
        "this is a proxy, not a web site; enter this address as the HTTP or SOCKS proxy of your program (the admin page has an address "
            + "of its own)";

    public static HttpReject BadRequest(string detail) => new(new ProxyError(FailureCause.BadRequest, detail), 400);

    public static HttpReject Of(int status, string detail) => new(new ProxyError(FailureCause.BadRequest, detail), status);

    /// <summary>Valid as far as it was read, but larger than <see cref="HttpLimits"/> (RFC 6585, section 5; RFC 9112, section 3).</summary>
    public static HttpReject TooLarge(int status, string detail) => new(new ProxyError(FailureCause.RequestHeadTooLarge, detail), status);

    public static HttpReject ForScan(HttpScanStatus status) => status switch
    {
        HttpScanStatus.BareLineFeed => BadRequest("a line that ends without CR LF"),
        HttpScanStatus.FirstLineTooLong => TooLarge(414, $"a request line of more than {HttpLimits.RequestLineBytes / 1024} KiB"),
        HttpScanStatus.TooLarge => TooLarge(431, $"a request head of more than {HttpLimits.HeadBytes / 1024} KiB"),
        _ => TooLarge(431, $"a request head of more than {HttpLimits.Fields} field lines"),
    };
}
