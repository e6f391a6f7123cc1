using System.Text;
using TorBalancer.Daemon.Readiness;

namespace TorBalancer.Tests.Readiness;

public class ReadinessRequestTests
{
    [TestCase("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/readyz")]
    [TestCase("GET /readyz HTTP/1.0\r\n\r\n", "GET", "/readyz")]
    [TestCase("OPTIONS / HTTP/1.0\n\n", "OPTIONS", "/")]
    [TestCase("HEAD /livez?verbose HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", "/livez")]
    [TestCase("GET http://gw.example:1082/livez HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/livez")]
    [TestCase("GET http://gw.example HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/")]
    [TestCase("POST /readyz HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", "POST", "/readyz")]
    public void TryParse_takes_a_request_when_its_head_has_ended(string text, string method, string path)
    {
        byte[] head = Encoding.ASCII.GetBytes(text);
        int end = text.Contains("\r\n\r\n", StringComparison.Ordinal)
            ? text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4
            : text.Length;

        for (int length = 0; length < end; length++)
            Assert.That(ReadinessRequest.TryParse(head.AsSpan(0, length)), Is.Null, text[..length]);
        Assert.That(ReadinessRequest.TryParse(head), Is.EqualTo(new ReadinessRequest(method, path)));
    }

    [TestCase("\u0005\u0001\0")]
    [TestCase("get / HTTP/1.1\r\n\r\n")]
    [TestCase("GET /readyz\r\n")]
    [TestCase("GET  /readyz HTTP/1.1\r\n\r\n")]
    [TestCase("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [TestCase("GET /readyz HTTP/1.1 \r\n\r\n")]
    [TestCase("\r\n\r\n")]
    public void TryParse_of_something_else_is_no_request_at_once(string text) =>
        Assert.That(ReadinessRequest.TryParse(Encoding.ASCII.GetBytes(text)), Is.EqualTo(ReadinessRequest.None));
}
