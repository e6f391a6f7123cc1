using System.Net;
using System.Net.Sockets;
using TorBalancer.Server.Naming;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Naming;

/// <summary>What no resolver sends: each has an answer that says so or none, no worker is asked, and others are served as before.</summary>
[CancelAfter(60_000)]
public sealed class DnsWrongQuestionTests
{
    private const int FormatError = 1, NotImplemented = 4, Refused = 5;

    // 12 bytes of header: ID, a query that wants recursion, and how many questions and records there are.
    private static byte[] Message(int questions, int additional, params byte[] rest) =>
        [0x12, 0x34, 1, 0, (byte)(questions >> 8), (byte)questions, 0, 0, 0, 0, (byte)(additional >> 8), (byte)additional, .. rest];

    private static readonly byte[] Question = [1, (byte)'a', 4, .. "test"u8, 0, 0, 1, 0, 1];

    private static IEnumerable<TestCaseData> Wrong()
    {
        yield return new TestCaseData(Message(1, 0, 0xC0, 12, 0, 1, 0, 1), FormatError) { TestName = "A name that points to itself" };
        yield return new TestCaseData(Message(1, 0, 1, (byte)'a', 0xC0, 12, 0, 1, 0, 1), FormatError)
        {
            TestName = "A name that goes round through a pointer",
        };
        yield return new TestCaseData(Message(1, 0, 1, (byte)'a', 0xC0, 0xFF, 0, 1, 0, 1), FormatError)
        {
            TestName = "A pointer behind the end",
        };
        yield return new TestCaseData(Message(1, 0, 0x80, 1, 0, 1, 0, 1), FormatError) { TestName = "A label of no known kind" };
        yield return new TestCaseData(Message(1, 0, 0x41, 1, 0, 1, 0, 1), FormatError) { TestName = "An extended label" };
        yield return new TestCaseData(Message(1, 0, [.. Enumerable.Repeat((byte)1, 300)]), FormatError) { TestName = "A name without end" };
        yield return new TestCaseData(Message(2, 0, [.. Question, .. Question]), FormatError) { TestName = "Two questions" };
        yield return new TestCaseData(
            Message(ushort.MaxValue, 0, [.. Enumerable.Repeat(Question, 80).SelectMany(static one => one)]), FormatError)
        {
            TestName = "65,535 questions",
        };
        yield return new TestCaseData(Message(1, ushort.MaxValue, Question), FormatError) { TestName = "65,535 records and none there" };
        yield return new TestCaseData(Message(1, 1, [.. Question, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0xFF, 0xFF]), FormatError)
        {
            TestName = "A record longer than the message",
        };
        yield return new TestCaseData(Message(1, 2, [.. Question, .. Opt(1232, 0), .. Opt(1232, 0)]), FormatError)
        {
            TestName = "EDNS twice",
        };
        yield return new TestCaseData(Message(1, 1, [.. Question, .. Opt(1232, 9)]), 16) { TestName = "EDNS of another version" };
        yield return new TestCaseData(DnsProbe.Query("a.test", 252), NotImplemented) { TestName = "AXFR" };
        yield return new TestCaseData(DnsProbe.Query("a.test", 251), NotImplemented) { TestName = "IXFR" };
        yield return new TestCaseData(DnsProbe.Query("a.test", 255), NotImplemented) { TestName = "ANY" };
        yield return new TestCaseData(DnsProbe.Query("a.test", 0), NotImplemented) { TestName = "Type 0" };
        yield return new TestCaseData(DnsProbe.Query("version.bind", DnsProbe.Txt, @class: 3), Refused) { TestName = "CHAOS" };
        yield return new TestCaseData(DnsProbe.Query("a.test", DnsProbe.A, @class: 3), Refused) { TestName = "An address of CHAOS" };
        yield return new TestCaseData(DnsProbe.Query("a.test", DnsProbe.A, @class: 254), Refused) { TestName = "Class NONE" };
        yield return new TestCaseData(DnsProbe.Query("127.1", DnsProbe.A), Refused) { TestName = "A number that is an address to some" };
        yield return new TestCaseData(DnsProbe.Query("0x7f000001", DnsProbe.A), Refused) { TestName = "A hexadecimal number" };
        foreach (int opcode in (int[])[1, 2, 4, 5, 6, 15])
        {
            byte[] message = DnsProbe.Query("a.test", DnsProbe.A);
            message[2] = (byte)(opcode << 3);
            yield return new TestCaseData(message, NotImplemented) { TestName = $"Opcode {opcode}" };
        }
    }

    [TestCaseSource(nameof(Wrong))]
    public async Task Wrong_question_is_told_so_over_UDP_and_TCP_and_the_next_is_served(
        byte[] message, int code, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyAddress = static _ => IPAddress.Parse("198.51.100.7") };
        await using var proxy = await StartAsync(worker);
        var at = proxy.Get<DnsServer>().Address!;

        Assert.That((await DnsProbe.AskAsync(at, message, token)).Code, Is.EqualTo(code), "UDP");
        Assert.That(worker.Requests, Is.Empty);
        var answers = await DnsProbe.AskOverTcpAsync(at, token, message, DnsProbe.Query("next.test", DnsProbe.A));
        Assert.That(answers.Select(static one => one.Code), Is.EqualTo(new[] { code, 0 }), "TCP, one behind the other");
        Assert.That(worker.Requests.Select(static one => one.Host), Is.EqualTo(new[] { "next.test" }));
    }

    /// <summary>Longer than any packet that is taken, and longer than any message over TCP may be here.</summary>
    [Test]
    public async Task Message_that_is_too_long_ends_its_connection_and_no_other(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyAddress = static _ => IPAddress.Parse("198.51.100.7") };
        await using var proxy = await StartAsync(worker);
        var at = proxy.Get<DnsServer>().Address!;
        using var beside = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await beside.ConnectAsync(at, token);

        byte[] huge = [.. DnsProbe.Query("a.test", DnsProbe.A), .. new byte[60_000]];
        Assert.That(
            async () => await DnsProbe.AskOverTcpAsync(at, token, huge), Throws.InstanceOf<IOException>().Or.InstanceOf<SocketException>());
        using (var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
            await socket.SendToAsync(huge, at, token);

        byte[] query = DnsProbe.Query("a.test", DnsProbe.A);
        await using var stream = new NetworkStream(beside);
        await stream.WriteAsync((byte[])[0, (byte)query.Length, .. query], token);
        byte[] length = await SocksClient.ReadAsync(stream, 2, token);
        Assert.That(DnsProbe.Parse(await SocksClient.ReadAsync(stream, length[1], token), query).Code, Is.Zero);
        Assert.That((await DnsProbe.AskAsync(at, query, token)).Code, Is.Zero);
    }

    private static byte[] Opt(ushort size, byte version) => [0, 0, 41, (byte)(size >> 8), (byte)size, 0, version, 0, 0, 0, 0];

    private static async Task<ProxyUnderTest> StartAsync(FakeTorWorker worker)
    {
        var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], static options =>
            options.Dns.Address = new IPEndPoint(IPAddress.Loopback, 0));
        proxy.Get<DnsServer>().Start();
        return proxy;
    }
}
