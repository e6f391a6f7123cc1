using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>What many fetches of hostile bodies take of a process of its own, together.</summary>
[CancelAfter(180_000)]
public class FetchEngineMemoryTests
{
    private const int Fetches = 64;
    private const int BodyLength = 10 * 1024 * 1024;
    private const long MiB = 1024 * 1024;

    /// <summary>The promise of issue 13 with the default [Admin] FetchMemory.</summary>
    private const long Most = 512 * MiB, Left = 32 * MiB;

    private static readonly TimeSpan GivenBack = TimeSpan.FromSeconds(60);

    [TestCase("controls")]
    [TestCase("quotes")]
    [TestCase("gzip")]
    [TestCase("gzip, gzip")]
    [TestCase("br")]
    [TestCase("br, br")]
    [TestCase("fields")]
    public async Task Hostile_bodies_in_parallel_stay_within_bounds_and_are_given_back(string kind, CancellationToken token)
    {
        byte[] answer = Answer(kind);
        await using var worker = new FakeTorWorker();
        new HttpScript().On("a.test/", answer).On("b.test/", HttpScript.Answer("small")).Behind(worker);
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"[Health]\nEnabled = no\n\n[Worker:one]\nAddress = 127.0.0.1\nSocksPort = {((IPEndPoint)worker.EndPoint).Port}\n", token,
            admin: "Address = 127.0.0.1:0");
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        string url = $"http://{await daemon.AdminAddressAsync(token)}/api/v1/fetch";
        Assert.That(await FetchAsync(client, url, "b.test", token), Is.EqualTo(HttpStatusCode.OK));
        long before = Memory(daemon, "VmRSS");

        var results = await Task.WhenAll(Enumerable.Range(0, Fetches).Select(_ => FetchAsync(client, url, "a.test", token)));

        long peak = Memory(daemon, "VmHWM");
        var watch = new CancellationTokenSource(GivenBack);
        using (watch)
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(token, watch.Token))
        {
            while (Memory(daemon, "VmRSS") > before + Left && !either.IsCancellationRequested)
                await Task.Delay(200, either.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
        }

        long after = Memory(daemon, "VmRSS");
        TestContext.Out.WriteLine(
            $"{kind}: before {before / MiB}, peak {peak / MiB}, after {after / MiB} MiB; answered "
                + $"{results.Count(static status => status == HttpStatusCode.OK)}");
        Assert.That(results, Is.All.EqualTo(HttpStatusCode.OK), "each had its turn");
        Assert.That(peak, Is.LessThan(Most));
        Assert.That(after, Is.LessThanOrEqualTo(before + Left));
    }

    private static async Task<HttpStatusCode> FetchAsync(HttpClient client, string url, string host, CancellationToken token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new StringContent($$"""{"url":"http://{{host}}/","timeout":150}""", Encoding.UTF8, "application/json"),
        };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
        await using var body = await response.Content.ReadAsStreamAsync(token);
        var start = new byte[64];
        int count = await body.ReadAtLeastAsync(start, start.Length, false, token);
        Assert.That(Encoding.Latin1.GetString(start, 0, count), Does.StartWith("{\"success\":true"));
        await body.CopyToAsync(Stream.Null, token);
        return response.StatusCode;
    }

    private static byte[] Answer(string kind)
    {
        byte[] body = new byte[BodyLength];
        if (kind == "fields")
        {
            string fields = string.Concat(
                Enumerable.Range(0, 7000).Select(static i => string.Create(CultureInfo.InvariantCulture, $"{i:x4}:\r\n")));
            return Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        }

        // Of quotation marks, and of what is not worth a control character in fifteen bytes.
        body.AsSpan().Fill(kind == "quotes" ? (byte)'"' : (byte)1);
        string[] codings = kind.Contains("gzip", StringComparison.Ordinal) || kind.Contains("br", StringComparison.Ordinal)
            ? kind.Split(", ")
            : [];
        foreach (string coding in codings)
            body = Compress(body, coding);
        string head = $"HTTP/1.1 200 OK\r\n{(codings.Length > 0 ? $"Content-Encoding: {kind}\r\n" : "")}Content-Length: "
            + $"{body.Length}\r\n\r\n";
        return [.. Encoding.Latin1.GetBytes(head), .. body];
    }

    private static byte[] Compress(byte[] body, string coding)
    {
        using var packed = new MemoryStream();
        using (Stream stream = coding == "br"
            ? new BrotliStream(packed, new BrotliCompressionOptions { Quality = 5 }, true)
            : new GZipStream(packed, CompressionLevel.Optimal, true))
        {
            stream.Write(body);
        }

        return packed.ToArray();
    }

    private static long Memory(DaemonUnderTest daemon, string field)
    {
        string line = File.ReadLines($"/proc/{daemon.ProcessId}/status")
            .First(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
