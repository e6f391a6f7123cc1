using System.Net;
using System.Text;
using System.Text.Json;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>Text and bytes of bodies come out of the JSON as they came in.</summary>
[CancelAfter(60_000)]
public class FetchBodyTests
{
    private const int Limit = 10 * 1024 * 1024;

    [TestCase("\"quoted\" \\ and /", "utf-8")]
    [TestCase("\n\n\n\n", "utf-8")]
    [TestCase("tab\tback\bfeed\fline\r\n", "utf-8")]
    [TestCase("one \u0001 in fifteen bytes", "utf-8")]
    [TestCase("\u007f\u0080\u2028\u2029\ufeff", "utf-8")]
    [TestCase("\ud83d\ude00\u4e2d\u00e9", "utf-8")]
    [TestCase("\u00e9\u00ff\u0080 \"latin\"", "iso-8859-1")]
    [TestCase("", "utf-8")]
    public async Task Text_is_text(string text, string charset, CancellationToken token)
    {
        var answer = await FetchAsync(Encoding.GetEncoding(charset).GetBytes(text), charset, token);

        Assert.That(answer.TryGetProperty("body_encoding", out _), Is.False);
        Assert.That(answer.GetProperty("body").GetString(), Is.EqualTo(text));
    }

    [TestCase("\u0001\u0002\u0003", "utf-8")]
    [TestCase("\u001b[1m\u001b[0m", "utf-8")]
    [TestCase("\u001b[1m\u001b[0m", "iso-8859-1")]
    [TestCase("nul \0", "utf-8")]
    [TestCase("\"\"\"\"\"\"", "utf-8")]
    [TestCase("\\\\\n\n\t\t\r\r\\", "utf-8")]
    [TestCase("\u00e9\u00e8\u00ff\u0080a", "iso-8859-1")]
    public async Task Text_that_escaping_would_make_longer_is_base64(string text, string charset, CancellationToken token)
    {
        byte[] bytes = Encoding.GetEncoding(charset).GetBytes(text);
        var answer = await FetchAsync(bytes, charset, token);

        Assert.That(answer.GetProperty("body_encoding").GetString(), Is.EqualTo("base64"));
        Assert.That(answer.GetProperty("body").GetBytesFromBase64(), Is.EqualTo(bytes));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public async Task Character_across_pieces_and_at_the_cut_is_not_split(int shift, CancellationToken token)
    {
        string text = new string('a', shift) + string.Concat(Enumerable.Repeat("\ud83d\ude00", (Limit / 4) + 1));

        var answer = await FetchAsync(Encoding.UTF8.GetBytes(text), "utf-8", token);

        Assert.That(answer.GetProperty("truncated").GetBoolean(), Is.True);
        Assert.That(answer.TryGetProperty("body_encoding", out _), Is.False);
        string body = answer.GetProperty("body").GetString()!;
        Assert.That(text.StartsWith(body, StringComparison.Ordinal), Is.True);
        Assert.That(Encoding.UTF8.GetByteCount(body), Is.InRange(Limit - 3, Limit));
    }

    [TestCase(1_000_000)]
    [TestCase(1_000_001)]
    [TestCase(1_000_002)]
    public async Task Bytes_of_any_length_come_out_of_base64(int length, CancellationToken token)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);

        Assert.That((await FetchAsync(bytes, "utf-8", token)).GetProperty("body").GetBytesFromBase64(), Is.EqualTo(bytes));
    }

    [Test]
    public async Task Body_that_finds_no_room_is_503_and_the_next_one_has_it(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        new HttpScript()
            .On("a.example/large", HttpScript.Answer(new string('a', 2_000_000)))
            .On("a.example/", HttpScript.Answer("small"))
            .Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Admin.FetchMemory = 1024 * 1024);

        var response = await admin.PostRawAsync("/api/v1/fetch", """{"url":"http://a.example/large"}""", token);

        var problem = await AdminUnderTest.ReadAsync(response, HttpStatusCode.ServiceUnavailable, token);
        Assert.That(response.Headers.RetryAfter?.Delta, Is.GreaterThan(TimeSpan.Zero));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain("[Admin] FetchMemory"));
        Assert.That(
            (await admin.FetchAsync("""{"url":"http://a.example/"}""", token)).GetProperty("body").GetString(), Is.EqualTo("small"));
    }

    [Test]
    public async Task Least_memory_is_enough_for_several_small_fetches_at_a_time(CancellationToken token)
    {
        const int Fetches = 6;
        var gate = new TaskCompletionSource();
        using var reached = new CountdownEvent(Fetches);
        var all = new TaskCompletionSource();
        await using var worker = new FakeTorWorker();
        var web = new HttpScript
        {
            Before = async stop =>
            {
                if (reached.Signal())
                    all.SetResult();
                await gate.Task.WaitAsync(stop);
            },
        };
        web.On("a.example/", HttpScript.Answer("a")).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync([worker.EndPoint], static options => options.Admin.FetchMemory = 64 << 20);
        var fetches = Enumerable.Range(0, Fetches)
            .Select(_ => admin.FetchAsync("""{"url":"http://a.example/","timeout":600}""", token))
            .ToList();

        var ended = await Task.WhenAny([all.Task, .. fetches]).WaitAsync(token);
        Assert.That(ended, Is.EqualTo(all.Task), () => fetches.First(static one => one.IsCompleted).Result.ToString());
        gate.SetResult();

        Assert.That((await Task.WhenAll(fetches)).Select(static one => one.GetProperty("body").GetString()), Is.All.EqualTo("a"));
    }

    [Test]
    public async Task Body_that_waits_for_room_in_vain_is_503(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        await using var worker = new FakeTorWorker();
        var web = new HttpScript
        {
            Before = async stop =>
            {
                if (reached.TrySetResult())
                    await gate.Task.WaitAsync(stop);
            },
        };
        web.On("a.example/", HttpScript.Answer("a")).Behind(worker);

        // Enough for what one fetch has before its answer, not for two.
        await using var admin = await AdminUnderTest.StartAsync(
            [worker.EndPoint], static options => options.Admin.FetchMemory = 400 * 1024);
        var first = admin.FetchAsync("""{"url":"http://a.example/"}""", token);
        await reached.Task.WaitAsync(token);

        await AdminUnderTest.ReadAsync(
            await admin.PostRawAsync("/api/v1/fetch", """{"url":"http://a.example/","timeout":1}""", token),
            HttpStatusCode.ServiceUnavailable, token);
        var waiting = admin.FetchAsync("""{"url":"http://a.example/"}""", token);
        gate.SetResult();

        Assert.That((await first).GetProperty("body").GetString(), Is.EqualTo("a"));
        Assert.That((await waiting).GetProperty("body").GetString(), Is.EqualTo("a"));
    }

    private static async Task<JsonElement> FetchAsync(byte[] body, string charset, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        string head = $"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset={charset}\r\nContent-Length: {body.Length}\r\n\r\n";
        new HttpScript().On("a.example/", [.. Encoding.Latin1.GetBytes(head), .. body]).Behind(worker);
        await using var admin = await AdminUnderTest.StartAsync(worker);
        return await admin.FetchAsync("""{"url":"http://a.example/"}""", token);
    }
}
