using System.Globalization;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>Builds the answers that are our own. But for the usual one to CONNECT they are rare, and may allocate.</summary>
internal static class HttpErrorResponse
{
    /// <summary>RFC 9110, section 15.3.6 and 9.3.6: a 2xx to CONNECT has no Content-Length and no Transfer-Encoding.</summary>
    public static ReadOnlyMemory<byte> ConnectionEstablished { get; } = "HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray();

    /// <summary>Worth another try after this many seconds (RFC 9110, section 10.2.3), where the failure itself does not say.</summary>
    private const int RetryAfterSeconds = 5;

    /// <summary>The same, with the exit that the client asked for; see <see cref="HttpConnectReply"/>.</summary>
    public static byte[] ConnectedThrough(string exit) =>
        Encoding.ASCII.GetBytes($"HTTP/1.1 200 Connection established\r\nTorBalancer-Exit: {exit}\r\n\r\n");

    /// <summary>
    /// Answers OPTIONS to the proxy itself (RFC 9110, section 9.3.7). Any method is forwarded in absolute form; of those, Allow names
    /// the usual ones. Each of Tor's request fields that is honoured is a capability (spec.torproject.org/http-connect).
    /// </summary>
    public static byte[] Options(bool close, bool tellKeepAlive) => Encoding.ASCII.GetBytes(
        "HTTP/1.1 200 OK\r\nAllow: CONNECT, OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE\r\n"
        + "Tor-Capabilities: Tor-Stream-Isolation X-Tor-Stream-Isolation\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
        + (close ? "Connection: close\r\n\r\n" : tellKeepAlive ? "Connection: keep-alive\r\n\r\n" : "\r\n"));

    /// <summary>
    /// Answers a request for <see cref="ProxyAutoConfig"/>. Two fields keep a page of elsewhere from running it as a script, and so from
    /// finding out that there is a proxy.
    /// </summary>
    public static byte[] AutoConfig(string script, bool withBody, bool close, bool tellKeepAlive) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 200 OK\r\nContent-Type: {ProxyAutoConfig.ContentType}\r\n"
        + string.Create(CultureInfo.InvariantCulture, $"Content-Length: {script.Length}\r\nCache-Control: no-store\r\n")
        + "X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n"
        + (close ? "Connection: close\r\n\r\n" : tellKeepAlive ? "Connection: keep-alive\r\n\r\n" : "\r\n")
        + (withBody ? script : ""));

    /// <param name="error">The failure.</param>
    /// <param name="status">0: as the cause says.</param>
    /// <param name="info">What else is known.</param>
    /// <param name="connectionId">By which the log names the connection.</param>
    /// <param name="close">The connection ends behind this answer.</param>
    /// <param name="withBody">False for an answer to HEAD: all of the head, none of the body.</param>
    /// <param name="tellKeepAlive">Says so when it does not (<see cref="HttpRequestHead.WantsKeepAliveTold"/>).</param>
    public static byte[] Build(
        ProxyError error, int status, in ReplyInfo info, string connectionId, bool close, bool withBody, bool tellKeepAlive = false)
    {
        var failure = HttpStatusMapper.Map(error.Cause);
        if (status == 0)
            status = failure.Status;
        string body = Body(error, failure, info, connectionId);
        int bodyLength = Encoding.UTF8.GetByteCount(body);

        var text = new StringBuilder(512 + body.Length);
        text.Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} {HttpStatusMapper.ReasonPhrase(status)}\r\n");
        if (status == 407)
            text.Append("Proxy-Authenticate: Basic realm=\"torbalancer\"\r\n");
        if (status is 503 or 429)
            text.Append(CultureInfo.InvariantCulture, $"Retry-After: {(error.RetryAfter == 0 ? RetryAfterSeconds : error.RetryAfter)}\r\n");

        text.Append(CultureInfo.InvariantCulture, $"Proxy-Status: torbalancer; error={failure.ErrorType}; details=");
        AppendSfString(text, Details(error, info));
        text.Append(CultureInfo.InvariantCulture, $"\r\nTor-Request-Failed: {TorRequestFailed.Of(error.Cause)}");
        text.Append(CultureInfo.InvariantCulture, $"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {bodyLength}\r\n");
        text.Append("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        if (close)
            text.Append("Connection: close\r\n");
        else if (tellKeepAlive)
            text.Append("Connection: keep-alive\r\n");
        text.Append("\r\n");
        if (withBody)
            text.Append(body);
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>
    /// A String of RFC 8941, section 3.3.3: printable ASCII, quote and backslash escaped. Anything else becomes '?', so
    /// that neither a worker's name nor a sentence can end the field.
    /// </summary>
    internal static void AppendSfString(StringBuilder text, ReadOnlySpan<char> value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            if (c is '"' or '\\')
                text.Append('\\');
            text.Append(c is >= ' ' and <= '~' ? c : '?');
        }

        text.Append('"');
    }

    private static string Details(ProxyError error, in ReplyInfo info)
    {
        var details = new StringBuilder(64);
        details.Append(CultureInfo.InvariantCulture, $"cause={error.Word}");
        if (info.WorkerId is not null)
            details.Append(CultureInfo.InvariantCulture, $" worker={info.WorkerId}");
        if (info.Attempts > 0)
            details.Append(CultureInfo.InvariantCulture, $" attempts={info.Attempts}");
        return details.ToString();
    }

    private static string Body(ProxyError error, in HttpFailure failure, in ReplyInfo info, string connectionId)
    {
        var body = new StringBuilder(256);
        body.Append(CultureInfo.InvariantCulture, $"torbalancer: {error.Word}\n{failure.Explanation}\n");
        if (error.Detail is not null)
            body.Append(CultureInfo.InvariantCulture, $"{error.Detail}\n");
        if (info.WorkerId is not null)
            body.Append(CultureInfo.InvariantCulture, $"worker: {info.WorkerId}\n");
        if (info.Attempts > 0)
            body.Append(CultureInfo.InvariantCulture, $"attempts: {info.Attempts}\n");
        body.Append(CultureInfo.InvariantCulture, $"connection: {connectionId}\n");
        return body.ToString();
    }
}
