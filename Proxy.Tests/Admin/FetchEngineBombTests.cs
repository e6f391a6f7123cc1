using System.IO.Compression;
using System.Net;
using System.Text;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>A few bytes that are work for minutes, and none of it any output.</summary>
[CancelAfter(60_000)]
public class FetchEngineBombTests
{
    private const int MiB = 1024 * 1024;

    /// <summary>A member of gzip in which nothing is.</summary>
    private static readonly byte[] EmptyGzip = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    [Test]
    [Category(ProgramRun.Native)]
    public async Task Fetches_of_layers_that_decode_to_nothing_end_and_hold_nobody_up(CancellationToken token)
    {
        byte[] bomb = Members(1024);
        string head = $"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: {bomb.Length}\r\n\r\n";
        await using var worker = new FakeTorWorker();
        new HttpScript()
            .On("a.example/", [.. Encoding.Latin1.GetBytes(head), .. bomb])
            .On("b.example/", HttpScript.Answer("ok"))
            .Behind(worker);
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"[Health]\nEnabled = no\n[Worker:one]\nSocksPort = {((IPEndPoint)worker.EndPoint).Port}\n", token,
            admin: "Address = 127.0.0.1:0");
        string admin = "http://" + await daemon.AdminAddressAsync(token);
        using var direct = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        using var proxied = new HttpClient(new SocketsHttpHandler { Proxy = new WebProxy($"http://{daemon.Address}") });

        var fetches = Enumerable.Range(0, 16).Select(_ => FetchAsync(direct, admin + "/api/v1/fetch", token)).ToList();
        for (int i = 0; i < 10; i++)
        {
            await AdminUnderTest.ReadAsync(await direct.GetAsync(admin + "/api/v1/health", token), HttpStatusCode.OK, token);
            Assert.That(await proxied.GetStringAsync("http://b.example/", token), Is.EqualTo("ok"));
        }

        Assert.That(await Task.WhenAll(fetches), Is.All.EqualTo("target_protocol"));
    }

    [TestCase(false, Description = "an endless row of empty members")]
    [TestCase(true)]
    public void Coded_body_without_end_is_refused(bool isCodedTwice)
    {
        using var share = new MemoryBudget(64 * MiB).Open(64 * MiB);
        byte[] empty = [.. Enumerable.Repeat(EmptyGzip, 1000).SelectMany(static one => one)];
        Stream endless = new RepeatedStream(isCodedTwice ? Members(1) : empty, static () => { });
        using var body = FetchCodings.Undo(endless, [.. Enumerable.Repeat(FetchCoding.Gzip, isCodedTwice ? 2 : 1)], share);

        Assert.That(async () => await body.ReadAsync(new byte[100]), Throws.TypeOf<InvalidDataException>());
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Reading_of_what_is_there_already_stops_when_nobody_waits_any_more(bool isCoded)
    {
        using var leaving = new CancellationTokenSource();
        var share = new MemoryBudget(64 * MiB).Open(64 * MiB);
        Stream source = new RepeatedStream(
            isCoded ? [.. Enumerable.Repeat(EmptyGzip, 1000).SelectMany(static one => one)] : new byte[4096], leaving.Cancel);
        var content = FetchCodings.Undo(source, isCoded ? [FetchCoding.Gzip] : [], share);

        Assert.That(
            async () => await FetchBody.ReadAsync(content, null, null, share, leaving.Token),
            Throws.InstanceOf<OperationCanceledException>());
    }

    private static async Task<string?> FetchAsync(HttpClient client, string url, CancellationToken token)
    {
        using var body = new StringContent("""{"url":"http://a.example/","timeout":600}""", Encoding.UTF8, "application/json");
        var answer = await AdminUnderTest.ReadAsync(await client.PostAsync(url, body, token), HttpStatusCode.OK, token);
        return answer.GetProperty("error").GetProperty("cause").GetString();
    }

    /// <summary>Gzip of so many MiB of empty members of gzip; a thousandth of that.</summary>
    private static byte[] Members(int length)
    {
        byte[] members = [.. Enumerable.Repeat(EmptyGzip, MiB / EmptyGzip.Length).SelectMany(static one => one)];
        using var packed = new MemoryStream();
        using (var stream = new GZipStream(packed, CompressionLevel.SmallestSize, true))
            stream.Write(members);
        return [.. Enumerable.Repeat(packed.ToArray(), length).SelectMany(static one => one)];
    }

    /// <summary>The same bytes again and again, without ever waiting.</summary>
    private sealed class RepeatedStream(byte[] bytes, Action read) : ReadOnlyStream
    {
        private int _offset;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            read();
            int count = Math.Min(buffer.Length, bytes.Length - _offset);
            bytes.AsMemory(_offset, count).CopyTo(buffer);
            _offset = (_offset + count) % bytes.Length;
            return ValueTask.FromResult(count);
        }
    }
}
