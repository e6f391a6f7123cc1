using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Http;

/// <summary>
/// Where the line runs between answers that are repaired and answers that are refused: what endangers framing or could
/// split a message is refused, bad style is not. What Chromium, curl, squid and HAProxy do was tried for each.
/// </summary>
public sealed class HttpResponseParserLeniencyTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\n";
    private const string Four = "Content-Length: 4\r\n";
    private const string Plain = Ok + Four + "\r\n";
    private const string UntilClose = Ok + "Connection: close\r\n\r\n";
    private const string Chunked = Ok + "Transfer-Encoding: chunked\r\n\r\n";

    // what, what comes, what goes to the client, whether the origin's connection may be used again
    private static readonly object[][] Accepted =
    [
        // Connection lists names; what is none says nothing
        ["keep-alive with a parameter", Ok + "Connection: keep-alive; timeout=5\r\n" + Four + "\r\n", Plain, true],
        ["quoted option", Ok + "Connection: \"close\"\r\n" + Four + "\r\n", Plain, true],
        ["option with a space", Ok + "Connection: keep alive\r\n" + Four + "\r\n", Plain, true],
        ["bad option beside a good one", Ok + "Connection: a b, close, =, X\r\nX: y\r\n" + Four + "\r\n", Plain, false],
        ["Proxy-Connection", Ok + "Proxy-Connection: keep-alive; max=3\r\n" + Four + "\r\n", Plain, true],
        [
            "a hundred options",
            Ok + "Connection: " + string.Join(", ", Enumerable.Range(0, 100).Select(i => $"x{i}")) + "\r\n" + Four + "\r\n", Plain, false,
        ],
        ["Content-Length as an option", Ok + "Connection: Content-Length\r\n" + Four + "\r\n", Plain, true],
        ["Transfer-Encoding as an option", Ok + "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n", Chunked, true],

        // the status line
        ["no reason", "HTTP/1.1 200\r\n" + Four + "\r\n", "HTTP/1.1 200 \r\n" + Four + "\r\n", true],
        ["two spaces", "HTTP/1.1  200   OK\r\n" + Four + "\r\n", Plain, true],
        ["tabs", "HTTP/1.1\t200\tOK \r\n" + Four + "\r\n", Plain, true],
        ["glued reason", "HTTP/1.1 200OK\r\n" + Four + "\r\n", Plain, true],
        ["IIS substatus", "HTTP/1.1 404.3 No\r\n" + Four + "\r\n", "HTTP/1.1 404 .3 No\r\n" + Four + "\r\n", true],
        ["reason in Latin-1", "HTTP/1.1 200 caf\u00e9\r\n" + Four + "\r\n", "HTTP/1.1 200 caf\u00e9\r\n" + Four + "\r\n", true],
        ["control in the reason", "HTTP/1.1 200 a\u0001b\r\n" + Four + "\r\n", "HTTP/1.1 200 a b\r\n" + Four + "\r\n", true],
        ["status 600", "HTTP/1.1 600 X\r\n" + Four + "\r\n", "HTTP/1.1 600 X\r\n" + Four + "\r\n", true],
        ["status 999", "HTTP/1.1 999 X\r\n" + Four + "\r\n", "HTTP/1.1 999 X\r\n" + Four + "\r\n", true],
        ["lower case", "http/1.1 200 OK\r\n" + Four + "\r\n", Plain, true],
        ["HTTP/1.2", "HTTP/1.2 200 OK\r\n" + Four + "\r\n", Plain, false],
        ["HTTP/1.10", "HTTP/1.10 200 OK\r\n" + Four + "\r\n", Plain, false],
        ["HTTP/1", "HTTP/1 200 OK\r\n" + Four + "\r\n", Plain, false],
        ["HTTP/0.9", "HTTP/0.9 200 OK\r\n" + Four + "\r\n", Plain, false],
        ["HTTP/2.0", "HTTP/2.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Chunked, false],
        ["HTTP/2", "HTTP/2 200\r\n" + Four + "\r\n", "HTTP/1.1 200 \r\n" + Four + "\r\n", false],
        ["SHOUTcast", "ICY 200 OK\r\n\r\n", UntilClose, false],
        ["SHOUTcast with a length", "icy\t200 OK\r\n" + Four + "\r\n", Plain, false],
        ["no version", "HTTP 200 OK\r\n" + Four + "\r\n", Plain, false],
        ["no version, until close", "http 200 OK\r\n\r\n", UntilClose, false],
        ["an empty line in front", "\r\n" + Plain, Plain, true],
        ["two empty lines in front", "\r\n\r\n" + Plain, Plain, true],
        ["space in front", " \t" + Plain, Plain, true],

        // line ends
        ["bare LF", "HTTP/1.1 200 OK\nX: y\nContent-Length: 4\n\n", Ok + "X: y\r\n" + Four + "\r\n", true],
        ["mixed line ends", "HTTP/1.1 200 OK\r\nX: y\nContent-Length: 4\n\r\n", Ok + "X: y\r\n" + Four + "\r\n", true],
        ["CR CR LF", "HTTP/1.1 200 OK\r\r\nX: y\r\r\nContent-Length: 4\r\r\r\n\r\n", Ok + "X: y\r\n" + Four + "\r\n", false],

        // field lines
        ["obs-fold", Ok + "X: a\r\n b\r\n\tc\r\n" + Four + "\r\n", Ok + "X: a   b  \tc\r\n" + Four + "\r\n", true],
        ["folded Content-Length", Ok + "Content-Length:\r\n 4\r\n\r\n", Plain, true],
        ["indented first line", Ok + " Content-Length: 2\r\n\tX: y\r\n" + Four + "\r\n", Plain, false],
        ["space before the colon", Ok + "Content-Length \t: 4\r\n\r\n", Plain, false],
        ["no colon", Ok + "nonsense\r\n folded: nonsense\r\n" + Four + "\r\n", Plain, false],
        ["no colon, a fold behind", Ok + "X: y\r\nnonsense\r\n more\r\n" + Four + "\r\n", Ok + "X: y\r\n" + Four + "\r\n", false],
        ["a second status line", Ok + "HTTP/1.1 200 OK\r\n" + Four + "\r\n", Plain, false],
        ["no name", Ok + ": x\r\n" + Four + "\r\n", Plain, false],
        ["space in the name", Ok + "My Header: x\r\n" + Four + "\r\n", Plain, false],
        ["brackets in the name", Ok + "X(y): x\r\n" + Four + "\r\n", Plain, false],
        ["name in Latin-1", Ok + "X\u00e9: x\r\n" + Four + "\r\n", Plain, false],
        ["value in Latin-1", Ok + "X: caf\u00e9\r\n" + Four + "\r\n", Ok + "X: caf\u00e9\r\n" + Four + "\r\n", true],
        ["controls in a value", Ok + "X: a\u0001b\u007fc\r\n" + Four + "\r\n", Ok + "X: a b c\r\n" + Four + "\r\n", true],

        // framing that has one meaning
        ["lengths twice", Ok + Four + "content-length: 4\r\n\r\n", Plain, true],
        ["lengths merged", Ok + "Content-Length: 4, 4\r\n\r\n", Plain, true],
        ["zeros in front", Ok + "Content-Length: 0004\r\n" + Four + "\r\n", Plain, true],
        ["CHUNKED", Ok + "Transfer-Encoding: CHUNKED\r\n\r\n", Chunked, true],
        ["empty members", Ok + "Transfer-Encoding: , chunked,\r\n\r\n", Chunked, true],
        ["identity", Ok + "Transfer-Encoding: identity\r\n\r\n", UntilClose, false],
        ["identity with a length", Ok + "Transfer-Encoding: Identity\r\n" + Four + "\r\n", Plain, false],
        ["identity, chunked", Ok + "Transfer-Encoding: identity, chunked\r\n\r\n", Chunked, false],
        ["no coding", Ok + "Transfer-Encoding:\r\n" + Four + "\r\n", Plain, false],
        ["none with a length", Ok + "Transfer-Encoding: none\r\n" + Four + "\r\n", Plain, false],
        ["empty length", Ok + "Content-Length:\r\n\r\n", UntilClose, false],
        ["empty length beside one", Ok + "Content-Length:\r\n" + Four + "\r\n", Plain, false],
        ["empty length beside a coding", Ok + "Content-Length: \r\nTransfer-Encoding: chunked\r\n\r\n", Chunked, false],
        ["empty member", Ok + "Content-Length: 4,\r\n\r\n", Plain, false],
        ["empty members", Ok + "Content-Length: ,4,,4\r\n\r\n", Plain, false],
        ["identity in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: identity\r\n" + Four + "\r\n", Plain, false],
    ];

    // what, what comes
    private static readonly object[][] Refused =
    [
        ["no HTTP", "SSH-2.0-OpenSSH"],
        ["HTTP/0.9 body", "<html>hello</html>"],
        ["SHOUTcast with a number", "ICY/1 200 OK\r\n\r\n"],
        ["glued SHOUTcast", "ICY200 OK\r\n\r\n"],
        ["glued version", "HTTPS 200 OK\r\n\r\n"],
        ["no status", "HTTP/1.1\r\n\r\n"],
        ["version without a number", "HTTP/x.1 200 OK\r\n\r\n"],
        ["two digits", "HTTP/1.1 20 OK\r\n\r\n"],
        ["four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
        ["status 099", "HTTP/1.1 099 OK\r\n\r\n"],
        ["status 000", "HTTP/1.1 000 OK\r\n\r\n"],
        ["negative status", "HTTP/1.1 -20 OK\r\n\r\n"],
        ["more than two empty lines", "\r\n\r\n\r\n" + Plain],
        ["CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"],
        ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"],
        ["CR for LF", "HTTP/1.1 200 OK\rContent-Length: 4\r\r\n\r\n"],
        ["CR in a value", Ok + "X: a\rY: b\r\n" + Four + "\r\n"],
        ["NUL in a value", Ok + "X: a\0b\r\n" + Four + "\r\n"],
        ["CR in a folded line", Ok + "X: a\r\n b\rc\r\n" + Four + "\r\n"],
        ["NUL in a line that is left out", Ok + "no colon\0\r\n" + Four + "\r\n"],
        ["CR behind a bad name", Ok + "bad name: a\rb\r\n" + Four + "\r\n"],
        ["NUL in a name", Ok + "X\0: a\r\n" + Four + "\r\n"],
        ["control in a name", Ok + "Transfer-Encoding\v: chunked\r\n" + Four + "\r\n"],
        ["CR alone in a line", Ok + Four + "\r\r\n\r\n"],
        ["both", Ok + Four + "Transfer-Encoding: chunked\r\n\r\n"],
        ["both, identity in front", Ok + Four + "Transfer-Encoding: identity, chunked\r\n\r\n"],
        ["lengths that differ", Ok + Four + "Content-Length: 5\r\n\r\n"],
        ["merged lengths that differ", Ok + "Content-Length: 4, 5\r\n\r\n"],
        ["length with a sign", Ok + "Content-Length: +4\r\n\r\n"],
        ["negative length", Ok + "Content-Length: -4\r\n\r\n"],
        ["length with a space", Ok + "Content-Length: 4 4\r\n\r\n"],
        ["folded length", Ok + "Content-Length: 4\r\n 2\r\n\r\n"],
        ["length and more", Ok + "Content-Length: 4x\r\n\r\n"],
        ["hexadecimal length", Ok + "Content-Length: 0x4\r\n\r\n"],
        ["fraction", Ok + "Content-Length: 4.0\r\n\r\n"],
        ["lengths that differ around an empty one", Ok + Four + "Content-Length:\r\nContent-Length: 5\r\n\r\n"],
        ["members that differ around an empty one", Ok + "Content-Length: 4,,5\r\n\r\n"],
        ["no number beside an empty one", Ok + "Content-Length: ,x\r\n\r\n"],
        ["empty length and a coding, both", Ok + "Content-Length:\r\n" + Four + "Transfer-Encoding: chunked\r\n\r\n"],
        ["none behind chunked", Ok + "Transfer-Encoding: chunked, none\r\n\r\n"],
        ["length that overflows", Ok + "Content-Length: 99999999999999999999\r\n\r\n"],
        ["control in a length", Ok + "Content-Length: \v4\r\n\r\n"],
        ["control in a coding", Ok + "Transfer-Encoding: \vchunked\r\n\r\n"],
        ["control in a folded coding", Ok + "Transfer-Encoding:\r\n \vchunked\r\n\r\n"],
        ["gzip", Ok + "Transfer-Encoding: gzip\r\n\r\n"],
        ["gzip, chunked", Ok + "Transfer-Encoding: gzip, chunked\r\n\r\n"],
        ["chunked twice", Ok + "Transfer-Encoding: chunked, chunked\r\n\r\n"],
        ["chunked in two fields", Ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"],
        ["identity behind chunked", Ok + "Transfer-Encoding: chunked, identity\r\n\r\n"],
        ["quoted coding", Ok + "Transfer-Encoding: \"chunked\"\r\n\r\n"],
        ["coding with a parameter", Ok + "Transfer-Encoding: chunked;q=1\r\n\r\n"],
        ["unknown coding", Ok + "Transfer-Encoding: binary\r\n" + Four + "\r\n"],
        ["chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ];

    // framing fields, and Content-Length as it goes on with an answer that may have one
    private static readonly object[][] BodylessFraming =
    [
        ["Content-Length: 5\r\n", "Content-Length: 5\r\n", true],
        ["Transfer-Encoding: chunked\r\n", "", true],
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", false],
        ["Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n", "Content-Length: 5\r\n", false],
        ["Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "Content-Length: 5\r\n", false],
        ["Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\n", true],
        ["Content-Length: 5\r\nContent-Length: 6\r\n", "", false],
        ["Content-Length: 5, 6\r\n", "", false],
        ["Content-Length: +5\r\n", "", false],
        ["Content-Length:\r\n", "", false],
        ["Content-Length: \v5\r\n", "", false],
        ["Content-Length: 99999999999999999999\r\nTransfer-Encoding: chunked, chunked\r\n", "", false],
    ];

    private static IEnumerable<TestCaseData> AcceptedCases() =>
        Accepted.Select(row => new TestCaseData(row[1], row[2], row[3]).SetArgDisplayNames((string)row[0]));

    private static IEnumerable<TestCaseData> RefusedCases() =>
        Refused.Select(row => new TestCaseData(row[1]).SetArgDisplayNames((string)row[0]));

    [TestCaseSource(nameof(AcceptedCases))]
    public async Task TryParse_harmless_answer_is_taken_and_written_anew(string response, string expected, bool keepAlive)
    {
        using var head = new HttpResponseHead();
        Assert.That(Parse(response, false, head, out var error), Is.EqualTo(HttpParseStatus.Complete), error.ToString());
        Assert.That(await WriteAsync(head), Is.EqualTo(expected));
        Assert.That(head.KeepAlive, Is.EqualTo(keepAlive));
    }

    [TestCaseSource(nameof(AcceptedCases))]
    public void TryParse_harmless_answer_byte_by_byte_completes_at_its_empty_line(string response, string expected, bool keepAlive)
    {
        byte[] bytes = HttpBytes.Of(response);
        using var head = new HttpResponseHead();
        var scanner = HttpHeadScanner.ForResponse();
        for (int length = 0; length <= bytes.Length; length++)
        {
            var buffer = HttpBytes.Split(bytes[..length], length / 2);
            var status = HttpResponseParser.TryParse(ref buffer, ref scanner, false, head, out var error);
            Assert.That(
                status, Is.EqualTo(length < bytes.Length ? HttpParseStatus.Incomplete : HttpParseStatus.Complete), $"{length}: {error}");
        }

        Assert.That(head.KeepAlive, Is.EqualTo(keepAlive), expected);
    }

    [TestCaseSource(nameof(RefusedCases))]
    public void TryParse_answer_that_endangers_framing_or_could_be_split_is_refused(string response)
    {
        using var head = new HttpResponseHead();
        Assert.That(Parse(response, false, head, out var error), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(error.Cause, Is.EqualTo(FailureCause.TargetProtocol));
        Assert.That(error.Detail, Is.Not.Empty);
    }

    [Test]
    public async Task TryParse_answer_without_a_body_ends_at_the_empty_line_whatever_its_framing_says()
    {
        foreach (object[] row in BodylessFraming)
        {
            string fields = (string)row[0];
            foreach (string version in new[] { "HTTP/1.1", "HTTP/1.0" })
            {
                foreach (string status in new[] { "100 Continue", "101 Switching", "103 Early", "204 No", "304 Not", "200 OK", "404 Not" })
                {
                    bool toHead = status[0] is '2' or '4';
                    string what = $"{version} {status} {fields}";
                    using var head = new HttpResponseHead();
                    Assert.That(
                        Parse($"{version} {status}\r\n{fields}\r\n", toHead, head, out var error), Is.EqualTo(HttpParseStatus.Complete),
                        what + error);
                    Assert.That(head.Body, Is.EqualTo(HttpBodyKind.None), what);
                    Assert.That(head.KeepAlive, Is.EqualTo(version == "HTTP/1.1" && (bool)row[2]), what);

                    // RFC 9110, section 8.6: never with 1xx and 204
                    bool hasLength = !(status[0] == '1' || status.StartsWith("204", StringComparison.Ordinal));
                    Assert.That(
                        await WriteAsync(head, close: false), Is.EqualTo($"HTTP/1.1 {status}\r\n{(hasLength ? (string)row[1] : "")}\r\n"),
                        what);
                }
            }
        }
    }

    [Test]
    public void TryParse_head_that_is_too_large_is_called_so()
    {
        using var head = new HttpResponseHead();
        string many = string.Concat(Enumerable.Repeat("A: b\r\n", HttpLimits.Fields));
        Assert.That(Parse(Ok + many + "\r\n", true, head, out _), Is.EqualTo(HttpParseStatus.Complete));
        Assert.That(head.FieldCount, Is.EqualTo(1000));
        Assert.That(Parse(Ok + many + "A: b\r\n\r\n", true, head, out var error), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(
            (error.Cause, error.Detail), Is.EqualTo((FailureCause.TargetHeadTooLarge, "a response head of more than 1000 field lines")));

        string long1 = Ok + "X: " + new string('y', HttpLimits.HeadBytes - Ok.Length - 7) + "\r\n\r\n";
        Assert.That(long1, Has.Length.EqualTo(128 * 1024));
        Assert.That(Parse(long1, true, head, out _), Is.EqualTo(HttpParseStatus.Complete));
        Assert.That(
            Parse(long1.Replace("X: ", "XX: ", StringComparison.Ordinal), true, head, out error), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That((error.Cause, error.Detail), Is.EqualTo((FailureCause.TargetHeadTooLarge, "a response head of more than 128 KiB")));
        Assert.That(Parse(Ok + "X: " + new string('y', HttpLimits.HeadBytes), true, head, out error), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(error.Cause, Is.EqualTo(FailureCause.TargetHeadTooLarge));
        Assert.That(
            Parse("HTTP/1.1 200 " + new string('y', HttpLimits.HeadBytes), true, head, out error), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(error.Cause, Is.EqualTo(FailureCause.TargetHeadTooLarge));
    }

    private static HttpParseStatus Parse(string response, bool toHead, HttpResponseHead head, out ProxyError error)
    {
        var buffer = HttpBytes.Sequence(response);
        var scanner = HttpHeadScanner.ForResponse();
        return HttpResponseParser.TryParse(ref buffer, ref scanner, toHead, head, out error);
    }

    private static async Task<string> WriteAsync(HttpResponseHead head, bool? close = null)
    {
        await using var to = new RecordingConnection();
        using var output = new HttpOutput(to, null, towardsUpstream: false);
        HttpHeadWriter.WriteResponse(output, head, head.Body == HttpBodyKind.Chunked, close ?? head.Body == HttpBodyKind.UntilClose);
        await output.FlushAsync(default);
        return to.Written;
    }
}
