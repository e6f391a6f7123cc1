using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Dns;
using TorBalancer.Testnet.Dns;
using TorBalancer.Workers;
using DnsMessage = TorBalancer.Protocols.Dns.DnsMessage;

namespace TorBalancer.Tests.Connecting;

/// <summary>Names asked at a DNSPort, over "lo" as the link: binding to it is for everybody since Linux 5.7.</summary>
public sealed class LinkDnsClientTests
{
    private static readonly WireGuardLink Loopback = new("lo", IPAddress.Loopback);

    // Header of an answer to id 0x1234 with one question and N answers.
    private static byte[] Header(int answers, byte flags = 0x81, byte code = 0) =>
        [0x12, 0x34, flags, (byte)(0x80 | code), 0, 1, 0, (byte)answers, 0, 0, 0, 0];

    private static readonly byte[] Question = [1, (byte)'a', 4, (byte)'t', (byte)'e', (byte)'s', (byte)'t', 0, 0, 1, 0, 1];

    [TestCase("origin.test", AddressFamily.InterNetwork, "127.0.31.1")]
    [TestCase("dual.test", AddressFamily.InterNetworkV6, "::1")]
    [TestCase("dual.test", AddressFamily.InterNetwork, "127.0.31.1")]
    [TestCase("ipv6.test", AddressFamily.InterNetwork, null)]
    [CancelAfter(30_000)]
    public async Task Ask_gives_the_address_of_the_family_asked_for(
        string name, AddressFamily family, string? expected, CancellationToken token)
    {
        await using var server = TestDnsServer.Start(FreePort(), new TestZone(IPAddress.Parse("127.0.31.1")));
        var answer = await new LinkDnsClient(TimeProvider.System)
            .AskAsync(Loopback, server.LocalEndPoint, name, family, TimeSpan.FromSeconds(20), token);

        Assert.That(answer.Error, Is.EqualTo(default(ProxyError)));
        Assert.That(answer.Address?.ToString(), Is.EqualTo(expected));
    }

    [TestCase("nx.test", FailureCause.HostUnreachable, "the name does not exist")]
    [TestCase("servfail.test", FailureCause.GeneralFailure, "(code 2)", Description = "tor says so when it cannot ask, too")]
    [TestCase("a..test", FailureCause.HostUnreachable, "cannot be a host's")]
    [CancelAfter(30_000)]
    public async Task Ask_name_without_an_address_says_whose_fault_it_may_be(
        string name, FailureCause cause, string detail, CancellationToken token)
    {
        await using var server = TestDnsServer.Start(FreePort(), new TestZone(IPAddress.Parse("127.0.31.1")));
        var answer = await new LinkDnsClient(TimeProvider.System)
            .AskAsync(Loopback, server.LocalEndPoint, name, AddressFamily.InterNetwork, TimeSpan.FromSeconds(20), token);

        Assert.That(answer.Error.Cause, Is.EqualTo(cause));
        Assert.That(answer.Error.Detail, Does.Contain(detail));
    }

    [Test, CancelAfter(30_000)]
    public async Task Ask_silent_server_is_asked_until_the_time_is_over(CancellationToken token)
    {
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var answer = await new LinkDnsClient(TimeProvider.System).AskAsync(
            Loopback, (IPEndPoint)silent.LocalEndPoint!, "a.test", AddressFamily.InterNetwork, TimeSpan.FromMilliseconds(200), token);

        Assert.That(answer.Error.Cause, Is.EqualTo(FailureCause.ConnectTimeout));
    }

    [TestCase("lo", "192.0.2.1", "interface lo does not have the address 192.0.2.1")]
    [TestCase("tb-none", "127.0.0.1", "interface tb-none does not exist")]
    [CancelAfter(30_000)]
    public async Task Ask_without_the_link_fails_closed(string name, string address, string detail, CancellationToken token)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var answer = await new LinkDnsClient(TimeProvider.System).AskAsync(
            new WireGuardLink(name, IPAddress.Parse(address)), (IPEndPoint)server.LocalEndPoint!, "a.test", AddressFamily.InterNetwork,
            TimeSpan.FromSeconds(20), token);

        Assert.That(answer.Error, Is.EqualTo(new ProxyError(FailureCause.LinkDown, detail)));
        Assert.That(server.Available, Is.Zero, "not a packet");
    }

    [Test]
    public void Parse_alias_and_address_hold_as_long_as_the_shorter()
    {
        byte[] answer =
        [
            .. Header(2), .. Question,
            0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 4, 1, (byte)'b', 0xC0, 14, // CNAME b.test, 30 s
            1, (byte)'b', 0xC0, 14, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 198, 51, 100, 7, // A, 256 s
        ];

        Assert.That(DnsMessage.TryParse(answer, Query(), out var reply), Is.True);
        Assert.That(reply, Is.EqualTo(new DnsReply(0, IPAddress.Parse("198.51.100.7"), TimeSpan.FromSeconds(30))));

        // Cut anywhere it is not an answer, and never an exception.
        for (int length = 0; length < answer.Length; length++)
            Assert.That(DnsMessage.TryParse(answer.AsSpan(0, length), Query(), out _), Is.False);
    }

    [Test]
    public void Parse_answer_to_another_question_is_none()
    {
        byte[] address = [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 198, 51, 100, 7];
        byte[] otherId = [.. Header(1), .. Question, .. address];
        otherId[0] = 0x13;
        byte[] otherName = [.. Header(1), .. Question, .. address];
        otherName[13] = (byte)'z';

        Assert.That(DnsMessage.TryParse([.. Header(1), .. Question, .. address], Query(), out _), Is.True);
        Assert.That(DnsMessage.TryParse(otherId, Query(), out _), Is.False);
        Assert.That(DnsMessage.TryParse(otherName, Query(), out _), Is.False);
        Assert.That(DnsMessage.TryParse([.. Header(1, flags: 0x01), .. Question, .. address], Query(), out _), Is.False, "a query");
    }

    /// <summary>Whatever part of it came: nothing is missing that would come later.</summary>
    [Test]
    public void Parse_answer_that_was_cut_is_one_and_gives_no_address()
    {
        byte[] address = [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 198, 51, 100, 7];
        foreach (int length in (int[])[0, 5, address.Length])
        {
            Assert.That(
                DnsMessage.TryParse([.. Header(1, flags: 0x83), .. Question, .. address[..length]], Query(), out var reply), Is.True);
            Assert.That((reply.IsCut, reply.Address), Is.EqualTo((true, (IPAddress?)null)));
        }
    }

    [Test]
    public void WriteQuery_names_that_fit_and_names_that_do_not()
    {
        byte[] buffer = new byte[DnsMessage.MaxQueryLength];
        string label = new('a', 63);
        string longest = $"{label}.{label}.{label}.{new string('a', 61)}";

        Assert.That(DnsMessage.WriteQuery(buffer, 1, longest, AddressFamily.InterNetwork), Is.EqualTo(buffer.Length));
        Assert.That(DnsMessage.WriteQuery(buffer, 1, longest + "a", AddressFamily.InterNetwork), Is.Zero);
        Assert.That(DnsMessage.WriteQuery(buffer, 1, label + "a", AddressFamily.InterNetwork), Is.Zero);
        Assert.That(DnsMessage.WriteQuery(buffer, 1, "a..b", AddressFamily.InterNetwork), Is.Zero);
        int length = DnsMessage.WriteQuery(buffer, 1, "a.b", AddressFamily.InterNetworkV6);
        Assert.That(BinaryPrimitives.ReadUInt16BigEndian(buffer.AsSpan(length - 4)), Is.EqualTo(28));
    }

    private static byte[] Query()
    {
        byte[] query = new byte[DnsMessage.MaxQueryLength];
        return query[..DnsMessage.WriteQuery(query, 0x1234, "a.test", AddressFamily.InterNetwork)];
    }

    private static IPEndPoint FreePort() => new(IPAddress.Loopback, 0);
}
