using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

/// <summary>Dialling over a link: bound or not at all, names by the same worker, and whose fault a failure is.</summary>
public sealed class LinkDialerTests
{
    private static readonly IPAddress HostAddress = IPAddress.Parse("10.201.1.1");
    private static readonly IPAddress Answer = IPAddress.Parse("198.51.100.7");
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private FakeTorWorker _tor = null!;
    private TcpListener _transPort = null!;
    private LinkTransport _transport = null!;
    private RouteOptions _routes = null!;
    private LinkDialer _dialer = null!;

    [SetUp]
    public void Start()
    {
        _tor = new FakeTorWorker { ReplyAddress = static _ => Answer };
        _transPort = new TcpListener(IPAddress.Loopback, 0);
        _transPort.Start();
        _transport = new LinkTransport(_transPort.LocalEndpoint);
        _routes = new RouteOptions();
        _dialer = Dialer(new ConnectOptions());
    }

    [TearDown]
    public async Task StopAsync()
    {
        _transPort.Dispose();
        await _tor.DisposeAsync();
    }

    [Test, CancelAfter(30_000)]
    public async Task Dial_name_is_resolved_by_the_worker_under_the_token_and_connected_over_the_link(CancellationToken token)
    {
        var result = await DialAsync("example.org:443", token, isolation: "t1");

        await using var connection = result.Connection;
        Assert.That((result.Error, result.ViaLink, result.IsProven), Is.EqualTo((default(ProxyError), true, true)));
        Assert.That(_tor.Requests.Single(), Is.EqualTo(new FakeWorkerRequest(0xF0, "example.org", 443, "<torS0X>0", "t1")));
        Assert.That(_transport.OverLink.Single(), Is.EqualTo(new TransportConnectRequest(new IPEndPoint(Answer, 443), HostAddress, "wg0")));
    }

    [Test, CancelAfter(30_000)]
    public async Task Dial_address_asks_nobody_and_proves_nothing(CancellationToken token)
    {
        var result = await DialAsync("198.51.100.9:80", token);

        await using var connection = result.Connection;
        Assert.That((result.Error, result.ViaLink, result.IsProven), Is.EqualTo((default(ProxyError), true, false)));
        Assert.That(_tor.Accepted, Is.Zero);
        Assert.That(_transport.OverLink.Single().Remote, Is.EqualTo(new IPEndPoint(IPAddress.Parse("198.51.100.9"), 80)));
    }

    [Test, CancelAfter(30_000)]
    public async Task Dial_name_is_remembered_for_its_owner_only(CancellationToken token)
    {
        foreach (string isolation in (string[])["t1", "t1", "t2"])
        {
            var result = await DialAsync("Example.org.:443", token, isolation);
            await result.Connection!.DisposeAsync();
        }

        Assert.That(_tor.Requests.Select(static request => request.Password), Is.EqualTo(new[] { "t1", "t2" }));
        Assert.That(_transport.OverLink.Count(), Is.EqualTo(3));
    }

    [Test, CancelAfter(30_000)]
    public async Task Dial_name_cache_can_be_turned_off(CancellationToken token)
    {
        _routes.NameCache = TimeSpan.Zero;
        _dialer = Dialer(new ConnectOptions());
        for (int i = 0; i < 2; i++)
            await (await DialAsync("example.org:443", token)).Connection!.DisposeAsync();

        Assert.That(_tor.Requests, Has.Count.EqualTo(2));
    }

    /// <summary>Each of these would be delivered on this machine, or to the worker's own ports.</summary>
    [TestCase("127.0.0.1:22")]
    [TestCase("10.201.1.1:22")]
    [TestCase("10.201.1.2:9050")]
    [TestCase("192.168.1.1:80")]
    [TestCase("169.254.1.1:80")]
    [TestCase("0.0.0.0:80")]
    [TestCase("224.0.0.1:80")]
    [TestCase("100.64.0.1:80")]
    [TestCase("[::1]:80")]
    [TestCase("[fd00::1]:80")]
    [TestCase("[::ffff:10.0.0.1]:80")]
    [TestCase("169.254.169.254:80")]
    [TestCase("[64:ff9b::a9fe:a9fe]:80")]
    [TestCase("[2002:a9fe:a9fe::1]:80")]
    [CancelAfter(30_000)]
    public async Task Dial_private_address_is_refused_without_a_packet(string target, CancellationToken token)
    {
        var result = await DialAsync(target, token);

        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.RouteRejected));
        Assert.That(_transport.Requests, Is.Empty);
    }

    [TestCase("10.0.0.1")]
    [TestCase("127.0.0.1")]
    [TestCase("169.254.169.254")]
    [TestCase("fd00:ec2::254")]
    [TestCase("::ffff:10.0.0.1")]
    [TestCase("64:ff9b::a9fe:a9fe")]
    [TestCase("2002:a00:1::1")]
    [CancelAfter(30_000)]
    public async Task Dial_name_that_leads_to_a_private_address_is_refused(string address, CancellationToken token)
    {
        _tor.ReplyAddress = _ => IPAddress.Parse(address);
        var result = await DialAsync("rebound.example:80", token);

        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.HostUnreachable));
        if (!address.Contains(':'))
            Assert.That(result.Error.Detail, Is.EqualTo("the name leads to a private address"));
        Assert.That(_transport.OverLink, Is.Empty);
    }

    /// <summary>The addresses of a link may be public ones; the worker's own ports and ours are nobody's target all the same.</summary>
    [TestCase("198.51.100.1")]
    [TestCase("198.51.100.2")]
    [CancelAfter(30_000)]
    public async Task Dial_end_of_the_link_is_refused_by_name_and_by_address(string end, CancellationToken token)
    {
        _tor.ReplyAddress = _ => IPAddress.Parse(end);
        var worker = Worker() with
        {
            Link = new WireGuardLink("wg0", IPAddress.Parse("198.51.100.1"), null, IPAddress.Parse("198.51.100.2")),
        };
        foreach (string target in (string[])["rebound.example:80", end + ":80", end + ".:80"])
        {
            var result = await _dialer.DialAsync(worker, Target(target), new IsolationToken(null), Patience, token);
            Assert.That(result.Error.Cause, Is.EqualTo(target[0] == 'r' ? FailureCause.HostUnreachable : FailureCause.RouteRejected));
        }

        Assert.That(_transport.OverLink, Is.Empty);
    }

    [TestCase(AddressChoice.PreferIPv4, "2001:db8::7", FailureCause.HostUnreachable)]
    [TestCase(AddressChoice.IPv6, "198.51.100.7", FailureCause.AddressTypeNotSupported)]
    [CancelAfter(30_000)]
    public async Task Dial_family_that_the_link_does_not_carry_is_refused(
        AddressChoice family, string answer, FailureCause expected, CancellationToken token)
    {
        _routes.Family = family;
        _tor.ReplyAddress = _ => IPAddress.Parse(answer);

        Assert.That((await DialAsync("example.org:80", token)).Error.Cause, Is.EqualTo(expected));
        Assert.That((await DialAsync("[2001:db8::7]:80", token)).Error.Cause, Is.EqualTo(FailureCause.AddressTypeNotSupported));
        Assert.That(_transport.OverLink, Is.Empty);
    }

    [Test, CancelAfter(30_000)]
    public async Task Dial_link_of_both_families_is_bound_to_the_address_of_the_targets(CancellationToken token)
    {
        var host6 = IPAddress.Parse("fd00::1");
        var result = await _dialer.DialAsync(
            Worker() with { Link = new WireGuardLink("wg0", HostAddress, host6) }, Target("[2001:db8::7]:80"), IsolationToken.None,
            Patience, token);

        await using var connection = result.Connection;
        Assert.That(
            _transport.OverLink.Single(),
            Is.EqualTo(new TransportConnectRequest(new IPEndPoint(IPAddress.Parse("2001:db8::7"), 80), host6, "wg0")));
    }

    [TestCase(SocketError.ConnectionRefused, FailureCause.WorkerRefused, "TransPort")]
    [TestCase(SocketError.TimedOut, FailureCause.WorkerTimeout, "wg0")]
    [TestCase(SocketError.AddressNotAvailable, FailureCause.LinkDown, "interface wg0 does not exist")]
    [TestCase(SocketError.NetworkUnreachable, FailureCause.LinkDown, "interface wg0 does not exist")]
    [TestCase(SocketError.AccessDenied, FailureCause.InternalError, "CAP_NET_RAW")]
    [TestCase(SocketError.TooManyOpenSockets, FailureCause.OutOfDescriptors, "LimitNOFILE")]
    [CancelAfter(30_000)]
    public async Task Dial_failure_of_the_link_ends_the_attempt(
        SocketError error, FailureCause cause, string detail, CancellationToken token)
    {
        _transport.LinkError = error;
        var result = await DialAsync("198.51.100.9:80", token);

        Assert.That((result.Connection, result.Error.Cause), Is.EqualTo(((TransportConnection?)null, cause)));
        Assert.That(result.Error.Detail, Does.Contain(detail));
        Assert.That(_transport.Requests, Has.Count.EqualTo(1), "there is no second way");
    }

    [Test, CancelAfter(30_000)]
    public async Task Dial_silent_link_is_given_up_after_WorkerTimeout(CancellationToken token)
    {
        _transport.LinkHangs = true;
        _dialer = Dialer(new ConnectOptions { WorkerTimeout = TimeSpan.FromMilliseconds(100) });

        Assert.That((await DialAsync("198.51.100.9:80", token)).Error.Cause, Is.EqualTo(FailureCause.WorkerTimeout));
    }

    [TestCase((byte)0x04, FailureCause.HostUnreachable)]
    [TestCase((byte)0x01, FailureCause.GeneralFailure)]
    [CancelAfter(30_000)]
    public async Task Dial_name_that_the_worker_cannot_resolve_is_its_answer(byte reply, FailureCause expected, CancellationToken token)
    {
        _tor.Reply = _ => reply;

        Assert.That((await DialAsync("nx.example:80", token)).Error.Cause, Is.EqualTo(expected));
        Assert.That(_transport.OverLink, Is.Empty);
    }

    [Test]
    public void RequestTo_only_the_address_on_the_link_takes_the_link()
    {
        var worker = Worker() with { Link = new WireGuardLink("wg0", HostAddress, null, IPAddress.Parse("10.201.1.2")) };

        IPEndPoint onLink = new(IPAddress.Parse("10.201.1.2"), 9051), elsewhere = new(IPAddress.Parse("198.51.100.1"), 9051);
        Assert.That(worker.RequestTo(onLink), Is.EqualTo(new TransportConnectRequest(onLink, HostAddress, "wg0")));
        Assert.That(worker.RequestTo(elsewhere), Is.EqualTo(new TransportConnectRequest(elsewhere)));
        Assert.That((worker with { Link = null }).RequestTo(onLink), Is.EqualTo(new TransportConnectRequest(onLink)));
    }

    private LinkDialer Dialer(ConnectOptions options)
    {
        var time = TimeProvider.System;
        return new LinkDialer(
            _transport, new LinkResolver(new WorkerDialer(_transport, options, time), new LinkDnsClient(time), _routes, time), options,
            time);
    }

    private WorkerModel Worker() =>
        new("w", _tor.EndPoint, Link: new WireGuardLink("wg0", HostAddress, null, IPAddress.Parse("10.201.1.2")));

    private async Task<DialResult> DialAsync(string target, CancellationToken token, string? isolation = null) =>
        await _dialer.DialAsync(Worker(), Target(target), new IsolationToken(isolation), Patience, token);

    private static HostEndPoint Target(string text)
    {
        Assert.That(HostEndPoint.TryParseAuthority(text, null, out var target), Is.True);
        return target;
    }
}
