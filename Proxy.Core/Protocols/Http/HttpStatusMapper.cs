using TorBalancer.Primitives;

namespace TorBalancer.Protocols.Http;

/// <summary>How a failure is told over HTTP.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Reason">Its reason phrase.</param>
/// <param name="ErrorType">A proxy error type registered by RFC 9209, section 2.3.</param>
/// <param name="Explanation">One sentence for people.</param>
internal readonly record struct HttpFailure(int Status, string Reason, string ErrorType, string Explanation);

/// <summary>The only table from causes to HTTP status codes; the words are RFC 9209's where it has one that fits.</summary>
internal static class HttpStatusMapper
{
    private const string Request = "http_request_error";
    private const string Denied = "http_request_denied";
    private const string Unavailable = "destination_unavailable";
    private const string Prohibited = "destination_ip_prohibited";
    private const string Unroutable = "destination_ip_unroutable";
    private const string Timeout = "connection_timeout";
    private const string Terminated = "connection_terminated";
    private const string Refused = "connection_refused";
    private const string Dns = "dns_error";
    private const string Configuration = "proxy_configuration_error";
    private const string Internal = "proxy_internal_error";

    public static HttpFailure Map(FailureCause cause) => cause switch
    {
        FailureCause.ClientClosed => Row(400, Request, "The client closed the connection before its request was answered."),
        FailureCause.HandshakeTimeout => Row(408, Request, "The request did not arrive completely in time."),
        FailureCause.BadRequest => Row(400, Request, "The request cannot be understood or is not safe to forward."),
        FailureCause.RequestHeadTooLarge => Row(431, Request, "The head of the request is larger than this proxy takes."),
        FailureCause.ProtocolDisabled => Row(403, Denied, "This listener does not speak HTTP."),
        FailureCause.AuthRequired => Row(407, Request, "This proxy wants a user name and a password."),
        FailureCause.AuthFailed => Row(407, Request, "The user name or the password is wrong."),
        FailureCause.TooManyFailedLogins => Row(429, Denied, "Too many passwords from this address were wrong; this one was not read."),
        FailureCause.BadUserParameters => Row(400, Request, "The user name holds a parameter that is not known or not valid."),
        FailureCause.UnsupportedCommand => Row(501, Request, "This proxy cannot do what was asked."),
        FailureCause.UnsupportedAddress => Row(400, Request, "The target's address is of a kind that cannot be reached."),
        FailureCause.ClientNotAllowed => Row(403, Denied, "Clients from this address are not allowed."),
        FailureCause.UserNotPermitted => Row(403, Denied, "This user may not have what it asks for."),

        FailureCause.RouteRejected => Row(403, Denied, "The configuration does not allow this target."),
        FailureCause.PrivateTarget =>
            Row(403, Prohibited, "This target is one of a private network or of this machine, which cannot be reached through Tor."),
        FailureCause.NoWorkerAvailable => Row(503, Unavailable, "No worker is available at the moment."),
        FailureCause.CountryNotServed => Row(403, Denied, "No worker has its exits in the country that was asked for."),
        FailureCause.TooManyConnections => Row(429, Request, "Too many connections at one time."),
        FailureCause.ConnectionRateExceeded => Row(429, Request, "New connections come faster than is allowed."),
        FailureCause.ConnectTimeout => Row(504, Timeout, "The time limit for connecting was reached."),
        FailureCause.ShuttingDown => Row(503, Internal, "The proxy is shutting down."),
        FailureCause.ClosedByOperator => Row(503, Internal, "The operator of the proxy has closed the connection."),
        FailureCause.OutOfDescriptors => Row(503, Internal, "The proxy has no room for another connection at the moment."),
        FailureCause.LoginsOverloaded => Row(503, Internal, "Too many passwords are being verified at the moment."),
        FailureCause.InternalError => Row(500, Internal, "The proxy failed; its log says more."),

        FailureCause.WorkerRefused => Row(502, Refused, "The worker refused the connection."),
        FailureCause.WorkerUnreachable => Row(502, Unroutable, "The worker cannot be reached."),
        FailureCause.WorkerTimeout => Row(504, Timeout, "The worker did not answer in time."),
        FailureCause.WorkerClosed => Row(502, Terminated, "The worker closed the connection before it answered."),
        FailureCause.WorkerProtocol => Row(502, Unavailable, "The worker's answer was not SOCKS5."),
        FailureCause.WorkerAuthRejected => Row(502, Configuration, "The worker rejected our credentials."),

        FailureCause.GeneralFailure => Row(502, Unavailable, "Tor could not make the connection."),
        FailureCause.ExitPolicy => Row(403, Prohibited, "The policy of Tor's exits does not allow this target."),
        FailureCause.NetworkUnreachable => Row(502, Unroutable, "The exit has no route to the target's network."),
        FailureCause.HostUnreachable => Row(502, Dns, "The name does not exist, or the exit has no route to the host."),
        FailureCause.ConnectionRefused => Row(502, Refused, "The target refused the connection."),
        FailureCause.TargetTimeout => Row(504, Timeout, "The target did not answer in time."),
        FailureCause.CommandNotSupported => Row(502, Unavailable, "The worker does not support what was asked of it."),
        FailureCause.AddressTypeNotSupported => Row(502, Unroutable, "The worker or its exit cannot reach addresses of this kind."),

        FailureCause.OnionNotFound => Row(502, Dns, "The onion service is not known: it is down or never existed."),
        FailureCause.OnionDescriptorInvalid => Row(502, Dns, "The onion service's descriptor is not valid."),
        FailureCause.OnionIntroFailed => Row(502, Unavailable, "The onion service could not be introduced to."),
        FailureCause.OnionRendezvousFailed => Row(502, Unavailable, "The onion service did not come to the rendezvous."),
        FailureCause.OnionAuthMissing =>
            Row(502, Configuration, "The onion service wants client authorization that the worker does not have."),
        FailureCause.OnionAuthWrong => Row(502, Configuration, "The onion service does not accept the worker's client authorization."),
        FailureCause.OnionAddressInvalid => Row(400, Request, "This is not a valid onion address."),
        FailureCause.OnionIntroTimeout => Row(504, Timeout, "The introduction to the onion service timed out."),

        FailureCause.TargetProtocol => Row(502, "http_protocol_error", "The target's answer is not valid HTTP/1."),
        FailureCause.TargetHeadTooLarge =>
            Row(502, "http_response_header_section_size", "The head of the target's answer is larger than this proxy takes."),
        FailureCause.TargetClosed => Row(502, Terminated, "The target closed the connection before it answered."),
        FailureCause.LinkDown => Row(502, Unroutable, "The WireGuard link to the worker is down."),
        FailureCause.NoFirstByte => Row(502, Terminated, "The stream through the worker ended before its first byte."),
        _ => Row(500, Internal, "The proxy failed for a reason it has no words for."),
    };

    /// <summary>The reason phrases of the codes that are sent by us (RFC 9110, section 15; RFC 6585).</summary>
    public static string ReasonPhrase(int status) => status switch
    {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        414 => "URI Too Long",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    };

    private static HttpFailure Row(int status, string errorType, string explanation) =>
        new(status, ReasonPhrase(status), errorType, explanation);
}
