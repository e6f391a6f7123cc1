using System.IO.Compression;
using System.Text;
using System.Text.Json;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>Content codings (RFC 9110, section 8.4) as targets really send them.</summary>
[CancelAfter(30_000)]
public class FetchCodingTests
{
    private static readonly byte[] Page = Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Range(0, 500).Select(static i => $"line {i} \u00e9\n")));

    [TestCase("gzip", "gzip")]
    [TestCase("x-gzip", "gzip")]
    [TestCase("X-GZip", "gzip")]
    [TestCase("GZIP", "gzip")]
    [TestCase("br", "br")]
    [TestCase("BR", "br")]
    [TestCase("deflate", "zlib")]
    [TestCase("deflate", "raw")]
    [TestCase("Deflate", "raw")]
    [TestCase("identity", "")]
    [TestCase("", "")]
    [TestCase(" , ", "")]
    [TestCase("gzip, br", "gzip br")]
    [TestCase("deflate,x-gzip", "zlib gzip")]
    [TestCase("gzip,,", "gzip")]
    [TestCase(", identity , gzip\t,", "gzip")]
    [TestCase("gzip, identity, br", "gzip br")]
    [TestCase("br\r\nContent-Encoding: gzip", "br gzip")]
    [TestCase("gzip, gzip", "gzip gzip")]
    public async Task Fetch_undoes_what_is_known(string field, string codings, CancellationToken token)
    {
        var answer = await FetchAsync(field, Encode(Page, codings), token);

        Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo(Encoding.UTF8.GetString(Page)));
        Assert.That(answer.TryGetProperty("content_encoding", out _), Is.False);
        Assert.That(answer.TryGetProperty("body_encoding", out _), Is.False);
        if (codings.Length > 0)
            Assert.That(
                answer.GetProperty("headers").EnumerateObject().Select(static one => one.Name),
                Has.None.EqualTo("content-encoding").And.None.EqualTo("content-length"));
    }

    [TestCase("zstd", "", "zstd")]
    [TestCase("compress", "", "compress")]
    [TestCase("x-compress", "", "x-compress")]
    [TestCase("gzip, zstd", "gzip", "gzip, zstd")]
    [TestCase("zstd, gzip", "gzip", "zstd")]
    [TestCase("utf-8, br, gzip", "br gzip", "utf-8")]
    [TestCase("br, gzip, gzip", "br gzip gzip", "br")]
    [TestCase("gzip, gzip, gzip, br", "gzip gzip gzip br", "gzip, gzip")]
    public async Task Fetch_leaves_what_is_not_known_and_says_so(string field, string codings, string left, CancellationToken token)
    {
        string[] all = codings.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        int undone = field.Split(", ").Length - left.Split(", ").Length;

        var answer = await FetchAsync(field, Encode(Page, codings), token);

        Assert.That(answer.GetProperty("content_encoding").GetString(), Is.EqualTo(left));
        Assert.That(answer.GetProperty("headers").GetProperty("content-encoding").GetString(), Is.EqualTo(left));
        Assert.That(answer.GetProperty("body_encoding").GetString(), Is.EqualTo("base64"));
        Assert.That(
            answer.GetProperty("body").GetBytesFromBase64(),
            Is.EqualTo(Encode(Page, string.Join(' ', all[..Math.Max(0, all.Length - undone)]))));
    }

    [Test]
    public async Task Fetch_with_codings_of_its_callers_choice_leaves_them(CancellationToken token)
    {
        byte[] packed = Encode(Page, "gzip");
        var answer = await FetchAsync("gzip", packed, token, """,{"Accept-Encoding":"gzip"}""");

        Assert.That(answer.GetProperty("content_encoding").GetString(), Is.EqualTo("gzip"));
        Assert.That(answer.GetProperty("headers").GetProperty("content-encoding").GetString(), Is.EqualTo("gzip"));
        Assert.That(answer.GetProperty("body").GetBytesFromBase64(), Is.EqualTo(packed));
    }

    [TestCase("gzip")]
    [TestCase("deflate")]
    [TestCase("br")]
    [TestCase("gzip, br")]
    public async Task Fetch_of_no_body_has_no_coding(string field, CancellationToken token) =>
        Assert.That((await FetchAsync(field, [], token)).GetProperty("body").GetString(), Is.Empty);

    [Test]
    public async Task Fetch_reads_all_members_of_gzip(CancellationToken token)
    {
        byte[] packed = [.. Encode("one "u8.ToArray(), "gzip"), .. Encode([], "gzip"), .. Encode("two"u8.ToArray(), "gzip")];
        Assert.That((await FetchAsync("gzip", packed, token)).GetProperty("body").GetString(), Is.EqualTo("one two"));
    }

    [TestCase("gzip", "gzip")]
    [TestCase("deflate", "zlib")]
    [TestCase("deflate", "raw")]
    public async Task Fetch_ignores_what_stands_behind_the_end(string field, string coding, CancellationToken token)
    {
        byte[] packed = [.. Encode(Page, coding), .. new byte[7], .. "rubbish"u8];
        Assert.That((await FetchAsync(field, packed, token)).GetProperty("body").GetString(), Is.EqualTo(Encoding.UTF8.GetString(Page)));
    }

    [TestCase("gzip", "gzip")]
    [TestCase("deflate", "zlib")]
    [TestCase("deflate", "raw")]
    [TestCase("br", "br")]
    [TestCase("gzip, br", "gzip br")]
    public async Task Fetch_does_not_pass_a_part_for_the_whole(string field, string codings, CancellationToken token)
    {
        byte[] packed = Encode(Page, codings);
        foreach (int length in (int[])[1, 2, 11, packed.Length / 2, packed.Length - 1])
        {
            var answer = await FetchAsync(field, packed[..length], token);
            Assert.That(answer.GetProperty("success").GetBoolean(), Is.False, $"{length} of {packed.Length} bytes");
            Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("target_protocol"));
        }
    }

    [TestCase("gzip")]
    [TestCase("br")]
    [TestCase("deflate")]
    [TestCase("gzip, br")]
    public async Task Fetch_of_something_else_than_its_coding_says_is_a_failure(string field, CancellationToken token)
    {
        var answer = await FetchAsync(field, [.. Enumerable.Repeat((byte)0xFE, 300)], token);
        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("target_protocol"));
    }

    [TestCase("gzip", "gzip")]
    [TestCase("x-gzip, br", "gzip br")]
    [TestCase("deflate", "raw")]
    [TestCase("deflate", "zlib")]
    public async Task Fetch_undoes_a_body_that_comes_byte_by_byte(string field, string codings, CancellationToken token)
    {
        byte[] packed = Encode(Page.AsSpan(0, 200).ToArray(), codings);
        if (codings == "gzip")
            packed = [.. packed, .. packed];
        string head = $"HTTP/1.1 200 OK\r\nContent-Encoding: {field}\r\nTransfer-Encoding: chunked\r\n\r\n";
        string body = string.Concat(packed.Select(static one => $"1\r\n{(char)one}\r\n")) + "0\r\n\r\n";

        var answer = await FetchAsync(Encoding.Latin1.GetBytes(head + body), token);

        string expected = Encoding.UTF8.GetString(Page, 0, 200);
        Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo(codings == "gzip" ? expected + expected : expected));
    }

    [TestCase("gzip", "gzip")]
    [TestCase("br", "br")]
    [TestCase("gzip, gzip", "gzip gzip")]
    public async Task Fetch_cuts_what_comes_out_of_a_bomb(string field, string codings, CancellationToken token)
    {
        var answer = await FetchAsync(field, Encode(Enumerable.Repeat((byte)'a', 50_000_000).ToArray(), codings), token);

        Assert.That(answer.GetProperty("truncated").GetBoolean(), Is.True);
        Assert.That(answer.GetProperty("body").GetString(), Has.Length.EqualTo(10 * 1024 * 1024));
    }

    private static Task<JsonElement> FetchAsync(string field, byte[] body, CancellationToken token, string headers = "")
    {
        string head = $"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {field}\r\nContent-Length: {body.Length}\r\n\r\n";
        return FetchAsync([.. Encoding.Latin1.GetBytes(head), .. body], token, headers);
    }

    private static async Task<JsonElement> FetchAsync(byte[] answer, CancellationToken token, string headers = "")
    {
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.example/", answer).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);
        return await admin.FetchAsync(
            $$"""{"url":"http://a.example/"{{headers.Replace(",{", ",\"headers\":{", StringComparison.Ordinal)}}}""", token);
    }

    private static byte[] Encode(byte[] body, string codings)
    {
        foreach (string coding in codings.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            using var packed = new MemoryStream();
            using (Stream stream = coding switch
            {
                "gzip" => new GZipStream(packed, CompressionLevel.Optimal, true),
                "zlib" => new ZLibStream(packed, CompressionLevel.Optimal, true),
                "raw" => new DeflateStream(packed, CompressionLevel.Optimal, true),
                _ => new BrotliStream(packed, CompressionLevel.Fastest, true),
            })
            {
                stream.Write(body);
                if (body.Length == 0)
                    stream.Flush();
            }

            body = packed.Length > 0 || coding != "gzip" ? packed.ToArray() : EmptyGzip;
        }

        return body;
    }

    /// <summary>GZipStream writes nothing at all for nothing.</summary>
    private static byte[] EmptyGzip => [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
}
