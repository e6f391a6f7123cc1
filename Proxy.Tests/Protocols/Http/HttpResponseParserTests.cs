using System.Buffers;
using System.Text;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Protocols.Http;

public sealed class HttpResponseParserTests
{
    private static readonly string[] Valid =
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.0 404\r\n\r\n",
        "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n",
        "HTTP/1.1 301 Moved\nLocation : /x\nX: a\n  b\n\tc\n\n",
        "\r\n\r\nhttp/1.9  404.3\tNo\r\r\nnonsense\r\nContent-Length: 0004\r\r\n\r\n",
    ];

    [TestCaseSource(nameof(Valid))]
    public void TryParse_valid_response_split_at_every_byte_gives_the_same(string response)
    {
        byte[] bytes = HttpBytes.Of(response + "BODY");
        string whole = Describe(bytes, bytes.Length);
        Assert.That(whole, Does.StartWith("Complete"));
        for (int at = 0; at <= bytes.Length; at++)
            Assert.That(Describe(bytes, at), Is.EqualTo(whole), $"split at {at}");
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, HttpBodyKind.Length, true)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, HttpBodyKind.None, true)]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, HttpBodyKind.None, true)]
    [TestCase("HTTP/1.1 200 OK\r\n\r\n", false, HttpBodyKind.UntilClose, false)]
    [TestCase("HTTP/1.1 200 OK\r\n\r\n", true, HttpBodyKind.None, true)]
    [TestCase("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", false, HttpBodyKind.None, true)]
    [TestCase("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", false, HttpBodyKind.None, true)]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x, Close\r\n\r\n", false, HttpBodyKind.Chunked, false)]
    [TestCase("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false, HttpBodyKind.Length, false)]
    [TestCase("HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", false, HttpBodyKind.None, true)]
    [TestCase("HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\n", false, HttpBodyKind.Length, true)]
    [TestCase("HTTP/1.1 205 Reset\r\nTransfer-Encoding: chunked\r\n\r\n", false, HttpBodyKind.Chunked, true)]
    [TestCase("HTTP/1.1 205 Reset\r\n\r\n", false, HttpBodyKind.UntilClose, false)]
    public void TryParse_body_is_delimited_as_RFC_9112_says(string response, bool toHead, object body, bool keepAlive)
    {
        using var head = new HttpResponseHead();
        var buffer = HttpBytes.Sequence(response);
        var scanner = HttpHeadScanner.ForResponse();
        Assert.That(HttpResponseParser.TryParse(ref buffer, ref scanner, toHead, head, out _), Is.EqualTo(HttpParseStatus.Complete));
        Assert.That(head.Body, Is.EqualTo(body));
        Assert.That(head.KeepAlive, Is.EqualTo(keepAlive));
    }

    [Test]
    public void TryParse_random_and_mutated_input_never_throws()
    {
        var random = new Random(42);
        using var head = new HttpResponseHead();
        int complete = 0;
        for (int i = 0; i < 5_000; i++)
        {
            byte[] bytes = HttpRequestParserTests.Mutate(random, HttpBytes.Of(Valid[random.Next(Valid.Length)]));
            var buffer = HttpBytes.Split(bytes, random.Next(bytes.Length + 1));
            var scanner = HttpHeadScanner.ForResponse();
            if (HttpResponseParser.TryParse(ref buffer, ref scanner, false, head, out _) == HttpParseStatus.Complete)
                complete++;
        }

        Assert.That(complete, Is.GreaterThan(100));
    }

    private static string Describe(byte[] bytes, int at)
    {
        using var head = new HttpResponseHead();
        var scanner = HttpHeadScanner.ForResponse();
        var buffer = new ReadOnlySequence<byte>(bytes, 0, at);
        var status = HttpResponseParser.TryParse(ref buffer, ref scanner, false, head, out _);
        if (status == HttpParseStatus.Incomplete)
        {
            buffer = HttpBytes.Split(bytes, at);
            status = HttpResponseParser.TryParse(ref buffer, ref scanner, false, head, out _);
            Assert.That(Encoding.Latin1.GetString(buffer.ToArray()), Is.EqualTo("BODY"));
        }

        var text = new StringBuilder($"{status} {head.Status} {Encoding.Latin1.GetString(head.Reason)} {head.Body} {head.ContentLength}");
        foreach (var field in head.Fields)
            text.Append($"|{Encoding.Latin1.GetString(head.Name(field))}={Encoding.Latin1.GetString(head.Value(field))}");
        return text.ToString();
    }
}
