using System.Buffers;
using System.Text;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Tests.Protocols.Http;

public sealed class HttpRequestParserTests
{
    private static readonly string[] Valid =
    [
        "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
        "GET http://example.com HTTP/1.0\r\n\r\n",
        "\r\nGET http://example.com/a?b=c HTTP/1.1\r\nhOsT:x\r\nAccept:  */*  \r\nEmpty:\r\n\r\n",
        "POST HTTP://[2001:db8::1]:8080?q HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n",
        "POST http://h:81/x HTTP/1.1\r\nHost: other\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n",
        "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Basic YTpi\r\n\r\n",
        "CONNECT [::1]:22 HTTP/1.0\r\n\r\n",
        "CONNECT 192.0.2.7:1 HTTP/1.1\r\n\r\n",
        "OPTIONS http://h HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n",
        "GET http://h/\u00fc HTTP/1.1\r\nHost: h\r\nX: caf\u00e9\t!\r\n\r\n",
    ];

    // what, status, request
    private static readonly object[][] Refused =
    [
        ["bare LF", 400, "GET http://h/ HTTP/1.1\nHost: h\n\n"],
        ["bare LF in the middle", 400, "GET http://h/ HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"],
        ["bare CR in a value", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n"],
        ["bare CR in the request line", 400, "GET http://h/\r HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["obs-fold", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"],
        ["indented first field", 400, "GET http://h/ HTTP/1.1\r\n Host: h\r\n\r\n"],
        ["space before colon", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n"],
        ["NUL in a value", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"],
        ["control in a value", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \vchunked\r\n\r\n"],
        ["control in a name", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nX\u0001: a\r\n\r\n"],
        ["no colon", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nX\r\n\r\n"],
        ["empty name", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n"],
        ["name in brackets", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nX(y): a\r\n\r\n"],
        ["no Host", 400, "GET http://h/ HTTP/1.1\r\n\r\n"],
        ["two Host", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n"],
        ["two equal Host", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"],
        ["Host list", 400, "GET http://h/ HTTP/1.1\r\nHost: h, i\r\n\r\n"],
        ["Host with a path", 400, "GET http://h/ HTTP/1.1\r\nHost: h/x\r\n\r\n"],
        ["CL and TE", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"],
        ["TE and CL", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"],
        ["CL that differ", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"],
        ["CL list that differs", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 5\r\n\r\n"],
        ["CL plus sign", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\n"],
        ["CL negative", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"],
        ["CL hex", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0x4\r\n\r\n"],
        ["CL empty", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n"],
        ["CL with a space", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4 4\r\n\r\n"],
        ["CL too large", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n"],
        ["CL trailing comma", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4,\r\n\r\n"],
        ["TE other", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"],
        ["TE gzip, chunked", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
        ["TE chunked, identity", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n"],
        ["TE twice chunked", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"],
        ["TE x", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n"],
        ["TE quoted", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n"],
        ["TE empty", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n"],
        ["TE with a parameter", 400, "POST http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n"],
        ["TE in HTTP/1.0", 400, "POST http://h/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
        ["HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        ["HTTP/1.2", 505, "GET http://h/ HTTP/1.2\r\nHost: h\r\n\r\n"],
        ["HTTP/0.9", 400, "GET http://h/\r\n\r\n"],
        ["no version", 400, "GET http://h/ FTP/1.1\r\n\r\n"],
        ["lower-case version", 400, "GET http://h/ http/1.1\r\nHost: h\r\n\r\n"],
        ["two spaces", 400, "GET  http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["space in the target", 400, "GET http://h/a b HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["tab in the target", 400, "GET http://h/a\tb HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["fragment", 400, "GET http://h/#x HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["bad method", 400, "G@T http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["origin-form", 400, "GET / HTTP/1.1\r\nHost: 127.0.0.1:1080\r\n\r\n"],
        ["asterisk-form", 400, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["https", 400, "GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["ftp", 400, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["no scheme", 400, "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["userinfo and no host", 400, "GET http://u:p@/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["userinfo with a backslash", 400, "GET http://evil.example\\@good.example/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["userinfo with a slash", 400, "GET http://u:p/@h/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["userinfo in CONNECT", 400, "CONNECT u:p@h:443 HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["label of 64 characters", 400, $"GET http://{new string('a', 64)}.example/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["empty label", 400, "GET http://a..example/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["two root dots", 400, "CONNECT a.example..:443 HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["zone", 400, "GET http://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["no host", 400, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["port 0", 400, "GET http://h:0/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["port too large", 400, "GET http://h:65536/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["CONNECT without port", 400, "CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["CONNECT empty port", 400, "CONNECT h: HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["CONNECT bare v6", 400, "CONNECT ::1:443 HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["CONNECT URI", 400, "CONNECT http://h:443 HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["CONNECT with CL", 400, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"],
        ["CONNECT with CL list", 400, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 5\r\n\r\n"],
        ["CONNECT with CL 0 and TE", 400, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"],
        ["CONNECT with TE", 400, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"],
        ["Connection that is no list of names", 400, "GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: a b\r\n\r\n"],
        ["two empty lines in front", 400, "\r\n\r\nGET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"],
        ["Max-Forwards used up", 501, "TRACE http://h/ HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n"],
    ];

    private static IEnumerable<TestCaseData> RefusedCases() =>
        Refused.Select(row => new TestCaseData(row[1], row[2]).SetArgDisplayNames((string)row[0]));

    [TestCaseSource(nameof(RefusedCases))]
    public void TryParse_unsafe_or_wrong_request_is_refused(int status, string request)
    {
        using var head = new HttpRequestHead();
        var result = HttpBytes.ParseRequest(request, head, out var reject);
        Assert.That(result, Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(reject.Status, Is.EqualTo(status), reject.Error.Detail);
    }

    [Test]
    public void TryParse_limits_refuse_what_is_too_long()
    {
        using var head = new HttpRequestHead();
        Assert.That(
            HttpBytes.ParseRequest("GET http://h/" + new string('a', 17000), head, out var reject), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(reject.Status, Is.EqualTo(414));
        string start = "GET http://h/ HTTP/1.1\r\nHost: h\r\n";
        Assert.That(reject.Error.Cause, Is.EqualTo(FailureCause.RequestHeadTooLarge));
        Assert.That(
            HttpBytes.ParseRequest(start + "X: " + new string('a', 128 * 1024), head, out reject), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(
            (reject.Status, reject.Error.ToString()), Is.EqualTo((431, "request_head_too_large: a request head of more than 128 KiB")));
        string many = string.Concat(Enumerable.Repeat("A: b\r\n", 999));
        Assert.That(HttpBytes.ParseRequest(start + many + "\r\n", head, out _), Is.EqualTo(HttpParseStatus.Complete));
        Assert.That(HttpBytes.ParseRequest(start + many + "A: b\r\n\r\n", head, out reject), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(
            (reject.Status, reject.Error.ToString()),
            Is.EqualTo((431, "request_head_too_large: a request head of more than 1000 field lines")));
        string host = string.Join('.', Enumerable.Repeat(new string('h', 63), 4))[1..];
        Assert.That(host, Has.Length.EqualTo(254));
        Assert.That(HttpBytes.ParseRequest($"CONNECT {host}:443 HTTP/1.1\r\n\r\n", head, out _), Is.EqualTo(HttpParseStatus.Rejected));
        Assert.That(
            HttpBytes.ParseRequest($"CONNECT {host[1..]}:65535 HTTP/1.1\r\n\r\n", head, out _), Is.EqualTo(HttpParseStatus.Complete));
    }

    [TestCaseSource(nameof(Valid))]
    public void TryParse_valid_request_split_at_every_byte_gives_the_same(string request)
    {
        byte[] bytes = HttpBytes.Of(request + "BEHIND");
        string whole = Describe(bytes, bytes.Length, bytes.Length);
        Assert.That(whole, Does.StartWith("Complete"));
        for (int at = 0; at <= bytes.Length; at++)
            Assert.That(Describe(bytes, at, at), Is.EqualTo(whole), $"split at {at}");
    }

    [TestCaseSource(nameof(Valid))]
    public void TryParse_byte_by_byte_completes_exactly_at_the_empty_line(string request)
    {
        byte[] bytes = HttpBytes.Of(request);
        using var head = new HttpRequestHead();
        var scanner = HttpHeadScanner.ForRequest();
        for (int length = 0; length <= bytes.Length; length++)
        {
            var buffer = new ReadOnlySequence<byte>(bytes, 0, length);
            var status = HttpRequestParser.TryParse(ref buffer, ref scanner, head, out var reject);
            Assert.That(
                status, Is.EqualTo(length < bytes.Length ? HttpParseStatus.Incomplete : HttpParseStatus.Complete), $"{length}: {reject}");
        }
    }

    [Test]
    public void TryParse_random_and_mutated_input_never_throws()
    {
        var random = new Random(20260101);
        using var head = new HttpRequestHead();
        int complete = 0;
        for (int i = 0; i < 10_000; i++)
        {
            byte[] bytes = Mutate(random, HttpBytes.Of(Valid[random.Next(Valid.Length)]));
            var buffer = HttpBytes.Split(bytes, random.Next(bytes.Length + 1));
            var scanner = HttpHeadScanner.ForRequest();
            var status = HttpRequestParser.TryParse(ref buffer, ref scanner, head, out var reject);
            if (status == HttpParseStatus.Rejected)
                Assert.That(reject.Error.IsError && reject.Status is >= 400 and < 600, Is.True);
            if (status == HttpParseStatus.Complete)
                complete++;
        }

        Assert.That(complete, Is.GreaterThan(100), "the mutations should leave some requests valid");
    }

    [TestCase("GET http://a.example:81/p/q?r HTTP/1.1\r\nHost: b.example\r\n\r\n", "/p/q?r", "a.example:81")]
    [TestCase("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "", "a.example:80")]
    [TestCase("GET http://A.example:?x HTTP/1.1\r\nHost: a.example\r\n\r\n", "?x", "a.example:80")]
    [TestCase("GET http://a.example.:0080/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "/", "a.example:80")]
    [TestCase("GET http://[::1]/ HTTP/1.1\r\nHost: x\r\n\r\n", "/", "[::1]:80")]
    [TestCase("GET http://[::FFFF:1.2.3.4]/ HTTP/1.1\r\nHost: x\r\n\r\n", "/", "1.2.3.4:80")]
    [TestCase("GET http://me:secret@a.example/@b HTTP/1.1\r\nHost: x\r\n\r\n", "/@b", "a.example:80")]
    [TestCase("GET http://me:secret@a.example/ HTTP/1.1\r\nHost: me:secret@a.example\r\n\r\n", "/", "a.example:80")]
    [TestCase("GET http://a.example/ HTTP/1.1\r\nHost: me@se@a.example:80\r\n\r\n", "/", "a.example:80")]
    [TestCase("GET http://me:se@cret@a.example:81?c@d HTTP/1.1\r\nHost: x\r\n\r\n", "?c@d", "a.example:81")]
    [TestCase("GET http://@a.example/ HTTP/1.1\r\nHost: x\r\n\r\n", "/", "a.example:80")]
    [TestCase("GET http://me%40home@[2001:DB8::1]:81/ HTTP/1.1\r\nHost: x\r\n\r\n", "/", "[2001:db8::1]:81")]
    [TestCase("CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n", "", "[::1]:443")]
    [TestCase("CONNECT A.example.:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "", "a.example:443")]
    [TestCase("CONNECT h:443 HTTP/1.0\r\nContent-Length: 0, 0\r\n\r\n", "", "h:443")]
    public void TryParse_target_is_taken_apart(string request, string path, string target)
    {
        using var head = new HttpRequestHead();
        Assert.That(HttpBytes.ParseRequest(request, head, out var reject), Is.EqualTo(HttpParseStatus.Complete), reject.ToString());
        Assert.That(Encoding.Latin1.GetString(head.Path), Is.EqualTo(path));
        Assert.That(head.Target.ToString(), Is.EqualTo(target));
    }

    [Test]
    public void TryParse_second_request_inherits_nothing_of_the_first()
    {
        using var head = new HttpRequestHead();
        HttpBytes.ParseRequest(
            "POST http://h/ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic YTpi\r\nExpect: 100-continue\r\nConnection: close, "
                + "upgrade\r\n"
            + "Upgrade: websocket\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n",
            head, out _);
        Assert.That(head.Credentials, Is.EqualTo(new TorBalancer.Protocols.ClientCredentials("a", "b")));
        Assert.That(
            (head.ExpectsContinue, head.IsUpgrade, head.AcceptsTrailers, head.KeepAlive, head.Body),
            Is.EqualTo((true, true, true, false, HttpBodyKind.Chunked)));
        HttpBytes.ParseRequest("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", head, out _);
        Assert.That(head.Credentials, Is.Null);
        Assert.That(
            (head.ExpectsContinue, head.IsUpgrade, head.AcceptsTrailers, head.KeepAlive, head.Body),
            Is.EqualTo((false, false, false, true, HttpBodyKind.None)));
    }

    internal static byte[] Mutate(Random random, byte[] bytes)
    {
        ReadOnlySpan<byte> interesting = "\r\n\0 \t:;,/?@[]0aZ\u007f"u8;
        var list = bytes.ToList();
        for (int changes = random.Next(1, 4); changes > 0 && list.Count > 0; changes--)
        {
            int at = random.Next(list.Count);
            byte value = random.Next(2) == 0 ? interesting[random.Next(interesting.Length)] : (byte)random.Next(256);
            switch (random.Next(5))
            {
                case 0: list[at] = value; break;
                case 1: list.Insert(at, value); break;
                case 2: list.RemoveAt(at); break;
                case 3: list.RemoveRange(at, Math.Min(list.Count - at, random.Next(20))); break;
                default: list.InsertRange(at, list.GetRange(at, Math.Min(list.Count - at, random.Next(40)))); break;
            }
        }

        return [.. list];
    }

    /// <summary>Parses the first part alone, then all of it in two segments.</summary>
    private static string Describe(byte[] bytes, int first, int split)
    {
        using var head = new HttpRequestHead();
        var scanner = HttpHeadScanner.ForRequest();
        var buffer = new ReadOnlySequence<byte>(bytes, 0, first);
        var status = HttpRequestParser.TryParse(ref buffer, ref scanner, head, out _);
        if (status == HttpParseStatus.Incomplete)
        {
            buffer = HttpBytes.Split(bytes, split);
            status = HttpRequestParser.TryParse(ref buffer, ref scanner, head, out _);
            Assert.That(Encoding.Latin1.GetString(buffer.ToArray()), Is.EqualTo("BEHIND"));
        }

        var text = new StringBuilder(
            $"{status} {head.Method} {head.Target} {head.Body} {head.ContentLength} {head.KeepAlive} {head.Credentials?.User}");
        foreach (var field in head.Fields)
            text.Append($"|{field.Id}|{Encoding.Latin1.GetString(head.Name(field))}={Encoding.Latin1.GetString(head.Value(field))}");
        return text.ToString();
    }
}
