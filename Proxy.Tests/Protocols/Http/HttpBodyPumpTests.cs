using System.Globalization;
using System.Text;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols.Http;

/// <summary>Bodies between two connections of which one has all at hand and the other tells its writes apart.</summary>
public sealed class HttpBodyPumpTests
{
    private const int Limit = 10_000;

    [TestCase(false)]
    [TestCase(true)]
    [CancelAfter(Limit)]
    public async Task RunAsync_chunks_of_one_byte_at_hand_are_one_chunk_in_one_write(bool lenient)
    {
        const int chunks = 20_000;
        string body = string.Concat(Enumerable.Range(0, chunks).Select(i => (char)('a' + (i % 26))));
        string sent = string.Concat(body.Select(c => $"1;x\r\n{c}\r\n")) + "0\r\n\r\n";

        var (to, end) = await RunAsync([sent], ChunkedBody(lenient));

        Assert.That(end, Is.EqualTo(HttpBodyEnd.Complete));
        Assert.That(to.Writes, Has.Count.EqualTo(1));
        Assert.That(to.Written, Is.EqualTo(string.Create(CultureInfo.InvariantCulture, $"{chunks:x}\r\n{body}\r\n0\r\n\r\n")));
    }

    [Test]
    [CancelAfter(Limit)]
    public async Task RunAsync_what_is_at_hand_leaves_before_more_is_waited_for()
    {
        await using var from = new RecordingConnection();
        await using var to = new RecordingConnection();
        using var output = new HttpOutput(to, null, towardsUpstream: false);
        var moving = new HttpBodyPump(from.Input, output).RunAsync(ChunkedBody(lenient: true), default, default).AsTask();
        for (int i = 0; i < 5; i++)
        {
            // A pipe runs its reader within the write: when it returns, the pump waits for more.
            await from.SendAsync(HttpBytes.Of("1\r\nx\r\n2\r\nyz\r\n"));
            await WaitForAsync(() => to.Writes.Count == i + 1);
            Assert.That(Encoding.Latin1.GetString(to.Writes[i]), Is.EqualTo("3\r\nxyz\r\n"));
        }

        await from.SendAsync(HttpBytes.Of("0\r\n\r\n"));
        Assert.That(await moving, Is.EqualTo(HttpBodyEnd.Complete));
    }

    [TestCase(1)]
    [TestCase(15)]
    [TestCase(16)]
    [TestCase(4095)]
    [TestCase(16 * 1024 - 1)]
    [TestCase(16 * 1024)]
    [TestCase(40_000)]
    [CancelAfter(Limit)]
    public async Task RunAsync_chunks_of_any_size_decode_to_the_same(int size)
    {
        var random = new Random(size);
        byte[] body = new byte[200_000];
        random.NextBytes(body);
        var sent = new StringBuilder();
        for (int at = 0; at < body.Length;)
        {
            int length = Math.Min(random.Next(1, size + 1), body.Length - at);
            sent.Append(CultureInfo.InvariantCulture, $"{length:X}\r\n").Append(Encoding.Latin1.GetString(body, at, length)).Append("\r\n");
            at += length;
        }

        string wire = sent.Append("0\r\nX: y\r\n\r\n").ToString();
        var pieces = new List<string>();
        for (int at = 0; at < wire.Length;)
        {
            int length = Math.Min(random.Next(1, 70_000), wire.Length - at);
            pieces.Add(wire.Substring(at, length));
            at += length;
        }

        var (to, end) = await RunAsync(pieces, ChunkedBody(lenient: false));

        Assert.That(end, Is.EqualTo(HttpBodyEnd.Complete));
        Assert.That(Decode(to.Written, out string trailers), Is.EqualTo(Encoding.Latin1.GetString(body)));
        Assert.That(trailers, Is.EqualTo("X: y\r\n\r\n"));
    }

    [TestCase("4\nBODY\n0\n\n", "4\r\nBODY\r\n0\r\n\r\n", true)]
    [TestCase("4 \nBODY\r\n0\r\n\r\n", "4\r\nBODY\r\n0\r\n\r\n", true)]
    [TestCase("4\r\nBODY\n0\r\n\r\n", "4\r\nBODY\r\n0\r\n\r\n", true)]
    [TestCase("0000000000000000000000004\r\nBODY\r\n00000000000000000000000\r\n\r\n", "4\r\nBODY\r\n0\r\n\r\n", false)]
    [TestCase("4\t ;a=b;c=\"d\"\r\nBODY\r\n0;x\r\n\r\n", "4\r\nBODY\r\n0\r\n\r\n", false)]
    [TestCase("4\r\nBODY\r\n0\r\nX : y\r\n z\r\nnonsense\r\nbad name: x\r\n\r\n", "4\r\nBODY\r\n0\r\nX: y   z\r\n\r\n", true)]
    [TestCase("4\r\nBODY\r\n0\r\nX: y\n\n", "4\r\nBODY\r\n0\r\nX: y\r\n\r\n", false)]
    [CancelAfter(Limit)]
    public async Task RunAsync_sloppy_chunks_of_a_response_are_written_anew(string body, string expected, bool repaired)
    {
        await using var from = new RecordingConnection();
        await using var to = new RecordingConnection();
        using var output = new HttpOutput(to, null, towardsUpstream: false);
        await from.SendAsync(HttpBytes.Of(body));
        var pump = new HttpBodyPump(from.Input, output);
        Assert.That(await pump.RunAsync(ChunkedBody(lenient: true), default, default), Is.EqualTo(HttpBodyEnd.Complete));
        Assert.That(to.Written, Is.EqualTo(expected));
        Assert.That(pump.IsRepaired, Is.EqualTo(repaired));
        Assert.That(
            (await RunAsync([body], ChunkedBody(lenient: false))).End == HttpBodyEnd.Complete,
            Is.EqualTo(body.StartsWith("4\t", StringComparison.Ordinal)));
    }

    [TestCase(" 4\r\nBODY\r\n0\r\n\r\n")]
    [TestCase("4\rBODY\r\n0\r\n\r\n")]
    [TestCase("4;a\nb\r\nBODY\r\n0\r\n\r\n")]
    [TestCase("4;a\rb\r\nBODY\r\n0\r\n\r\n")]
    [TestCase("4\r\nBODYX\r\n0\r\n\r\n")]
    [TestCase("4\r\nBODY\r0\r\n\r\n")]
    [TestCase("4 4\r\nBODY\r\n0\r\n\r\n")]
    [TestCase("0x4\r\nBODY\r\n0\r\n\r\n")]
    [TestCase("-4\r\nBODY\r\n0\r\n\r\n")]
    [TestCase("\nBODY\r\n0\r\n\r\n")]
    [TestCase("4\r\nBODY\r\n0\r\nX: a\0b\r\n\r\n")]
    [TestCase("4\r\nBODY\r\n0\r\nX: a\rY: b\r\n\r\n")]
    [CancelAfter(Limit)]
    public async Task RunAsync_chunks_that_could_end_elsewhere_are_malformed(string body) =>
        Assert.That((await RunAsync([body], ChunkedBody(lenient: true))).End, Is.EqualTo(HttpBodyEnd.SourceMalformed));

    /// <summary>
    /// Any recipient may leave out all trailers (RFC 9110, section 6.5.1), and behind the last chunk the body is complete.
    /// </summary>
    [TestCase("4\r\nBODY\r\n0\r\n")]
    [TestCase("4\r\nBODY\r\n0\r\nX: y\r\n")]
    [TestCase("4\r\nBODY\r\n0\r\nX: y")]
    [TestCase("4\r\nBODY\r\n0\n")]
    [CancelAfter(Limit)]
    public async Task RunAsync_response_that_ends_behind_its_last_chunk_is_complete(string body)
    {
        await using var from = new RecordingConnection();
        await using var to = new RecordingConnection();
        using var output = new HttpOutput(to, null, towardsUpstream: false);
        await from.SendAsync(HttpBytes.Of(body));
        from.Finish();
        var pump = new HttpBodyPump(from.Input, output);
        Assert.That(await pump.RunAsync(ChunkedBody(lenient: true), default, default), Is.EqualTo(HttpBodyEnd.Complete));
        Assert.That(to.Written, Is.EqualTo("4\r\nBODY\r\n0\r\n\r\n"));
        Assert.That((pump.IsRepaired, pump.EndedByClose), Is.EqualTo((true, true)));
        Assert.That((await RunAsync([body], ChunkedBody(lenient: false))).End, Is.Not.EqualTo(HttpBodyEnd.Complete), "a request");
    }

    [TestCase("4\r\nBODY\r\n0")]
    [TestCase("4\r\nBODY\r\n0\r")]
    [TestCase("4\r\nBODY\r\n")]
    [CancelAfter(Limit)]
    public async Task RunAsync_response_that_ends_before_its_last_chunk_is_not_complete(string body) =>
        Assert.That((await RunAsync([body], ChunkedBody(lenient: true))).End, Is.EqualTo(HttpBodyEnd.SourceClosed));

    [Test]
    [CancelAfter(Limit)]
    public async Task RunAsync_surplus_trailers_of_a_response_are_dropped()
    {
        string Trailers(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $"X{i}: y\r\n"));
        await using var from = new RecordingConnection();
        await using var to = new RecordingConnection();
        using var output = new HttpOutput(to, null, towardsUpstream: false);
        await from.SendAsync(HttpBytes.Of("4\r\nBODY\r\n0\r\n" + Trailers(1000) + "\r\nnext"));
        var pump = new HttpBodyPump(from.Input, output);
        Assert.That(await pump.RunAsync(ChunkedBody(lenient: true), default, default), Is.EqualTo(HttpBodyEnd.Complete));
        Assert.That(to.Written, Is.EqualTo("4\r\nBODY\r\n0\r\n" + Trailers(HttpLimits.TrailerFields) + "\r\n"));
        Assert.That(pump.IsRepaired, Is.True);
        Assert.That((await from.Input.ReadAsync()).Buffer.Length, Is.EqualTo(4));
    }

    private static IEnumerable<TestCaseData> LargeFraming()
    {
        yield return new TestCaseData("0\r\nX: " + new string('y', HttpLimits.TrailerBytes) + "\r\n\r\n")
            .SetArgDisplayNames("trailers, bytes");
        yield return new TestCaseData("0\r\n" + string.Concat(Enumerable.Repeat("X: y\r\n", HttpLimits.TrailerFields + 1)) + "\r\n")
            .SetArgDisplayNames("trailers, fields");
        yield return new TestCaseData("1;" + new string('x', HttpLimits.ChunkLineBytes) + "\r\na\r\n0\r\n\r\n")
            .SetArgDisplayNames("one extension");
        yield return new TestCaseData(string.Concat(Enumerable.Repeat("1;" + new string('x', 4000) + "\r\na\r\n", 20)))
            .SetArgDisplayNames("all extensions");
    }

    [TestCaseSource(nameof(LargeFraming))]
    [CancelAfter(Limit)]
    public async Task RunAsync_framing_that_is_too_large_is_called_so(string body) =>
        Assert.That((await RunAsync([body], ChunkedBody(lenient: false))).End, Is.EqualTo(HttpBodyEnd.SourceTooLarge));

    private static HttpBodyPlan ChunkedBody(bool lenient) => new(HttpBodyKind.Chunked, 0, ChunkedOut: true, lenient);

    private static async Task<(RecordingConnection To, HttpBodyEnd End)> RunAsync(IReadOnlyList<string> pieces, HttpBodyPlan plan)
    {
        await using var from = new RecordingConnection();
        var to = new RecordingConnection();
        using var output = new HttpOutput(to, null, towardsUpstream: false);
        if (pieces.Count == 1)
        {
            await from.SendAsync(HttpBytes.Of(pieces[0]));
            from.Finish();
            return (to, await new HttpBodyPump(from.Input, output).RunAsync(plan, default, default));
        }

        var moving = new HttpBodyPump(from.Input, output).RunAsync(plan, default, default).AsTask();
        foreach (string piece in pieces)
            await from.SendAsync(HttpBytes.Of(piece));
        from.Finish();
        return (to, await moving);
    }

    private static string Decode(string wire, out string trailers)
    {
        var body = new StringBuilder();
        int at = 0;
        while (true)
        {
            int end = wire.IndexOf("\r\n", at, StringComparison.Ordinal);
            int size = int.Parse(wire.AsSpan(at, end - at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            at = end + 2;
            if (size == 0)
                break;
            body.Append(wire, at, size);
            Assert.That(wire.Substring(at + size, 2), Is.EqualTo("\r\n"));
            at += size + 2;
        }

        trailers = wire[at..];
        return body.ToString();
    }

    private static async Task WaitForAsync(Func<bool> condition)
    {
        while (!condition())
        {
            TestContext.CurrentContext.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
