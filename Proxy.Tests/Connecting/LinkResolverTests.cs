using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>
/// Names by a worker's DNSPort: both families, what is remembered of a refusal, and answers that are no target. "lo" is the link.
/// </summary>
[CancelAfter(30_000)]
public sealed class LinkResolverTests
{
    private const int TypeA = 1, TypeAaaa = 28;

    private static readonly IPAddress IPv4 = IPAddress.Parse("198.51.100.7"), IPv6 = IPAddress.Parse("2001:db8::7");

    private CancellationTokenSource _over = null!;
    private Queue<int> _asked = null!;
    private Socket _server = null!;
    private Task _serving = Task.CompletedTask;
    private Func<int, (int Flags, int Code, IPAddress? Address)> _answer = null!;

    [SetUp]
    public void Start()
    {
        (_over, _asked) = (new CancellationTokenSource(), new Queue<int>());
        _server = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        _server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _serving = ServeAsync(_over.Token);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _over.CancelAsync();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _server.Dispose();
        _over.Dispose();
    }

    /// <summary>A DNSPort answers "no such address" with an error, so it says nothing of the other family.</summary>
    [TestCase(2, AddressChoice.PreferIPv4)]
    [TestCase(3, AddressChoice.PreferIPv4)]
    [TestCase(2, AddressChoice.PreferIPv6)]
    public async Task Resolve_asks_the_second_family_when_the_first_is_refused(int code, AddressChoice family, CancellationToken token)
    {
        bool isIPv4First = family == AddressChoice.PreferIPv4;
        int first = isIPv4First ? TypeA : TypeAaaa;
        _answer = type => type == first ? (0, code, null) : (0, 0, isIPv4First ? IPv6 : IPv4);
        var name = await ResolveAsync(family, token);

        Assert.That((name.Address, name.IsFresh), Is.EqualTo((isIPv4First ? IPv6 : IPv4, true)), name.Error.ToString());
        Assert.That(_asked, Is.EqualTo(isIPv4First ? new[] { TypeA, TypeAaaa } : [TypeAaaa, TypeA]));
    }

    /// <summary>That the other family has no address must not hide that this one was refused: the worker may be at fault.</summary>
    [TestCase(2, FailureCause.GeneralFailure)]
    [TestCase(3, FailureCause.HostUnreachable)]
    public async Task Resolve_refusal_is_told_when_the_second_family_has_nothing(int code, FailureCause expected, CancellationToken token)
    {
        _answer = type => type == TypeA ? (0, code, null) : (0, 0, null);
        var name = await ResolveAsync(AddressChoice.PreferIPv4, token);

        Assert.That(name.Error.Cause, Is.EqualTo(expected));
        Assert.That(name.Error.Detail, Does.Not.Contain("family"));
        Assert.That(_asked, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Resolve_name_without_any_address_says_so(CancellationToken token)
    {
        _answer = static _ => (0, 0, null);
        var name = await ResolveAsync(AddressChoice.PreferIPv4, token);

        Assert.That(
            name.Error,
            Is.EqualTo(new ProxyError(FailureCause.HostUnreachable, "the name has no address of a family that the link carries")));
    }

    /// <summary>Such an address would leave over IPv4 from a socket that was bound for IPv6, or not at all.</summary>
    [Test]
    public async Task Resolve_mapped_address_is_refused(CancellationToken token)
    {
        _answer = static type => (0, 0, type == TypeAaaa ? IPv4.MapToIPv6() : null);
        var name = await ResolveAsync(AddressChoice.IPv6, token);

        Assert.That(name.Address, Is.Null);
        Assert.That(name.Error.Cause, Is.EqualTo(FailureCause.HostUnreachable));
    }

    [Test]
    public async Task Resolve_answer_that_was_cut_fails_at_once(CancellationToken token)
    {
        _answer = static _ => (0x02, 0, null);
        var name = await ResolveAsync(AddressChoice.IPv4, token);

        Assert.That(name.Error.Cause, Is.EqualTo(FailureCause.GeneralFailure), "waiting would end in connect_timeout");
        Assert.That(name.Error.Detail, Does.Contain("cut"));
        Assert.That(_asked, Has.Count.EqualTo(1));
    }

    private async Task<ResolvedName> ResolveAsync(AddressChoice family, CancellationToken token)
    {
        var time = TimeProvider.System;
        var link = new WireGuardLink(
            "lo", IPAddress.Loopback, IPAddress.IPv6Loopback, IPAddress.Loopback, (IPEndPoint)_server.LocalEndPoint!);
        var worker = new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1), Link: link);
        var resolver = new LinkResolver(
            new WorkerDialer(new SocketTransport(time), new ConnectOptions(), time), new LinkDnsClient(time),
            new RouteOptions { Family = family }, time);
        Assert.That(HostEndPoint.TryCreate("a.test", 80, out var target), Is.True);
        return await resolver.ResolveAsync(worker, link, target, IsolationToken.None, TimeSpan.FromSeconds(25), token);
    }

    /// <summary>Answers each question as the test says. Questions end with type and class.</summary>
    private async Task ServeAsync(CancellationToken token)
    {
        byte[] buffer = new byte[512];
        while (true)
        {
            var got = await _server.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), token);
            byte[] question = buffer[12..got.ReceivedBytes];
            int type = BinaryPrimitives.ReadUInt16BigEndian(question.AsSpan(question.Length - 4));
            _asked.Enqueue(type);
            var (flags, code, address) = _answer(type);
            byte[] data = address?.GetAddressBytes() ?? [];
            byte[] record = address is null ? [] : [0xC0, 12, 0, (byte)type, 0, 1, 0, 0, 0, 60, 0, (byte)data.Length, .. data];
            byte[] reply =
            [
                buffer[0], buffer[1], (byte)(0x81 | flags), (byte)(0x80 | code), 0, 1, 0, (byte)(address is null ? 0 : 1), 0, 0, 0, 0,
                .. question, .. record,
            ];
            await _server.SendToAsync(reply, SocketFlags.None, got.RemoteEndPoint, token);
        }
    }
}
