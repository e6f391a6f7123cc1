using System.Text;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Protocols.Http;

public sealed class HttpStatusMapperTests
{
    // RFC 9209, section 2.3
    private static readonly string[] Registered =
    [
        "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
        "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout", "connection_read_timeout",
        "connection_write_timeout", "connection_limit_reached", "tls_protocol_error", "tls_certificate_error", "tls_alert_received",
        "http_request_error", "http_request_denied", "http_response_incomplete", "http_response_header_section_size",
        "http_response_header_size", "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
        "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
        "http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected",
    ];

    private static IEnumerable<FailureCause> Causes() => Enum.GetValues<FailureCause>().Where(cause => cause != FailureCause.None);

    [TestCaseSource(nameof(Causes))]
    public void Map_every_cause_has_its_own_row(FailureCause cause)
    {
        var failure = HttpStatusMapper.Map(cause);
        Assert.That(failure.Explanation, Is.Not.EqualTo(HttpStatusMapper.Map((FailureCause)255).Explanation), "unmapped");
        Assert.That(failure.Status, Is.InRange(400, 504));
        Assert.That(Registered, Does.Contain(failure.ErrorType));
        Assert.That(failure.Reason, Is.Not.Empty);
        if (failure.ErrorType == "http_request_error" && failure.Status != 501)
            Assert.That(failure.Status, Is.LessThan(500), "RFC 9209 keeps this type for 4xx");
    }

    [TestCase(FailureCause.NoWorkerAvailable, 503)]
    [TestCase(FailureCause.ShuttingDown, 503)]
    [TestCase(FailureCause.ClosedByOperator, 503)]
    [TestCase(FailureCause.WorkerRefused, 502)]
    [TestCase(FailureCause.WorkerUnreachable, 502)]
    [TestCase(FailureCause.WorkerProtocol, 502)]
    [TestCase(FailureCause.ConnectTimeout, 504)]
    [TestCase(FailureCause.WorkerTimeout, 504)]
    [TestCase(FailureCause.TargetTimeout, 504)]
    [TestCase(FailureCause.ConnectionRefused, 502)]
    [TestCase(FailureCause.ExitPolicy, 403)]
    [TestCase(FailureCause.RouteRejected, 403)]
    [TestCase(FailureCause.CountryNotServed, 403)]
    [TestCase(FailureCause.AuthRequired, 407)]
    [TestCase(FailureCause.AuthFailed, 407)]
    [TestCase(FailureCause.UserNotPermitted, 403)]
    [TestCase(FailureCause.TooManyConnections, 429)]
    [TestCase(FailureCause.TooManyFailedLogins, 429)]
    [TestCase(FailureCause.LoginsOverloaded, 503)]
    [TestCase(FailureCause.ConnectionRateExceeded, 429)]
    [TestCase(FailureCause.BadRequest, 400)]
    [TestCase(FailureCause.BadUserParameters, 400)]
    [TestCase(FailureCause.HandshakeTimeout, 408)]
    [TestCase(FailureCause.OnionAddressInvalid, 400)]
    [TestCase(FailureCause.OnionNotFound, 502)]
    [TestCase(FailureCause.OnionIntroTimeout, 504)]
    [TestCase(FailureCause.InternalError, 500)]
    public void Map_status_is_as_documented(FailureCause cause, int status) =>
        Assert.That(HttpStatusMapper.Map(cause).Status, Is.EqualTo(status));

    [Test]
    public void Build_error_page_says_cause_worker_attempts_and_connection()
    {
        var error = new ProxyError(FailureCause.NoWorkerAvailable, "all 3 are down");
        string text = Build(error, new ReplyInfo("w\"2\\\r\nX: y\u00e9", 2), close: true, withBody: true);
        string[] parts = text.Split("\r\n\r\n", 2);
        Assert.That(parts[0], Does.StartWith("HTTP/1.1 503 Service Unavailable\r\n"));
        Assert.That(parts[0], Does.Contain("\r\nRetry-After: 5\r\n"));
        Assert.That(parts[0], Does.Contain(
            "\r\nProxy-Status: torbalancer; error=destination_unavailable; details=\"cause=no_worker_available worker=w\\\"2\\\\??X: y? "
                + "attempts=2\"\r\n"));
        Assert.That(parts[0], Does.Contain("\r\nConnection: close"));
        Assert.That(parts[0], Does.Contain($"\r\nContent-Length: {Encoding.UTF8.GetByteCount(parts[1])}\r\n"));
        Assert.That(
            parts[1],
            Does.Contain("no_worker_available").And.Contain("No worker is available").And.Contain("all 3 are down").And.Contain("c-17"));
    }

    [Test]
    public void Build_407_challenges_and_keeps_the_connection()
    {
        string text = Build(new ProxyError(FailureCause.AuthRequired), default, close: false, withBody: false);
        Assert.That(
            text, Does.StartWith("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"torbalancer\"\r\n"));
        Assert.That(text, Does.Not.Contain("Connection:").And.Not.Contain("Retry-After").And.EndWith("\r\n\r\n"));
    }

    private static string Build(ProxyError error, ReplyInfo info, bool close, bool withBody) =>
        Encoding.UTF8.GetString(HttpErrorResponse.Build(error, 0, info, "c-17", close, withBody));
}
