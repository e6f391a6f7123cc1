using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Routing;
using TorBalancer.Server.Naming;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server.Naming;

/// <summary>The name server in front of a scripted worker, asked over real sockets; real tor is in Scenarios/GatewayTests.</summary>
[CancelAfter(30_000)]
public sealed class DnsServerTests
{
    private const string Onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    private static readonly IPAddress Answer = IPAddress.Parse("198.51.100.7"), Other = IPAddress.Parse("127.0.0.2");

    private FakeTorWorker _worker = null!;
    private ProxyUnderTest _proxy = null!;

    private DnsServer Server => _proxy.Get<DnsServer>();

    private IPEndPoint At => Server.Address!;

    private DnsCounters Counters => _proxy.Get<DnsCounters>();

    [SetUp]
    public void MakeWorker() => _worker = new FakeTorWorker { ReplyAddress = static _ => Answer };

    [TearDown]
    public async Task StopAsync()
    {
        await _proxy.DisposeAsync();
        await _worker.DisposeAsync();
    }

    [Test]
    public async Task A_is_asked_of_the_worker_by_name_and_kept(CancellationToken token)
    {
        await StartAsync();

        var first = await AskAsync("WWW.Example.org", DnsProbe.A, token);
        var again = await AskAsync("www.example.ORG", DnsProbe.A, token);

        Assert.That((first.Code, first.Address, first.TimeToLive), Is.EqualTo((0, Answer, 60u)));
        Assert.That((again.Code, again.Address), Is.EqualTo((0, Answer)));
        Assert.That(_worker.Requests.Select(static one => (one.Command, one.Host)), Is.EqualTo(new[] { ((byte)0xF0, "www.example.org") }));
        Assert.That((Counters.Lookups(DnsSource.Worker), Counters.Lookups(DnsSource.Cache)), Is.EqualTo((1, 1)));
        Assert.That(Counters.Queries(DnsKind.A, DnsOutcome.Answered), Is.EqualTo(2));
    }

    [Test]
    public async Task AAAA_of_a_name_that_has_an_IPv4_address_is_empty_and_costs_no_second_question(CancellationToken token)
    {
        await StartAsync();
        await AskAsync("a.test", DnsProbe.A, token);

        var answer = await AskAsync("a.test", DnsProbe.Aaaa, token);

        Assert.That((answer.Code, answer.Records), Is.EqualTo((0, 0)));
        Assert.That(_worker.Requests, Has.Count.EqualTo(1));
        _worker.ReplyAddress = static _ => IPAddress.Parse("2001:db8::7");
        Assert.That((await AskAsync("six.test", DnsProbe.Aaaa, token)).Address, Is.EqualTo(IPAddress.Parse("2001:db8::7")));
        Assert.That((await AskAsync("six.test", DnsProbe.A, token)).Records, Is.Zero);
    }

    [Test]
    public async Task Both_questions_of_a_client_wait_for_one_lookup(CancellationToken token)
    {
        var gate = new TaskCompletionSource();
        _worker.ReplyGate = gate.Task;
        await StartAsync();
        var a = AskAsync("a.test", DnsProbe.A, token);
        var aaaa = AskAsync("a.test", DnsProbe.Aaaa, token);
        while (Counters.Lookups(DnsSource.Shared) == 0)
            await Task.Delay(10, token);

        gate.SetResult();

        Assert.That(((await a).Address, (await aaaa).Records), Is.EqualTo((Answer, 0)));
        Assert.That(_worker.Requests, Has.Count.EqualTo(1));
    }

    /// <summary>Else one could learn from how fast an answer comes what another has asked for.</summary>
    [TestCase(IsolationMode.Client, 2)]
    [TestCase(IsolationMode.None, 1)]
    [TestCase(IsolationMode.Connection, 2)]
    public async Task Clients_that_are_kept_apart_share_no_answer(IsolationMode isolation, int lookups, CancellationToken token)
    {
        await StartAsync(options => options.Balancing.Isolation = isolation);
        await AskAsync("a.test", DnsProbe.A, token);
        await DnsProbe.AskAsync(At, DnsProbe.Query("a.test", DnsProbe.A), token, Other);

        Assert.That(_worker.Requests, Has.Count.EqualTo(lookups));
        Assert.That(_worker.Requests.Select(static one => one.Password).Distinct().Count(), Is.EqualTo(lookups));
    }

    [Test]
    public async Task A_name_that_the_worker_does_not_find_does_not_exist_and_one_it_cannot_ask_for_is_a_failure(CancellationToken token)
    {
        await StartAsync();
        _worker.Reply = static _ => 4;
        Assert.That((await AskAsync("missing.test", DnsProbe.A, token)).Code, Is.EqualTo(3));
        _worker.Reply = static _ => 1;
        Assert.That((await AskAsync("broken.test", DnsProbe.A, token)).Code, Is.EqualTo(2));
        _worker.Reply = static _ => 0;
        Assert.That((await AskAsync("broken.test", DnsProbe.A, token)).Code, Is.Zero, "a failure is not kept");
    }

    [TestCase("localhost", DnsProbe.A, 3)]
    [TestCase("printer.local", DnsProbe.Aaaa, 3)]
    [TestCase("nas.home.arpa", DnsProbe.A, 3)]
    [TestCase("x.onion", DnsProbe.A, 3)]
    [TestCase("10.1", DnsProbe.A, 5)]
    [TestCase("192.0.2.1", DnsProbe.A, 3)]
    [TestCase("a.exit", DnsProbe.A, 5)]
    [TestCase("_tcp.example.org", DnsProbe.A, 3)]
    [TestCase("a b.test", DnsProbe.A, 3)]
    [TestCase("denied.test", DnsProbe.A, 5)]
    [TestCase("ads.example", DnsProbe.A, 5)]
    [TestCase("example.org", DnsProbe.Txt, 4)]
    [TestCase("example.org", DnsProbe.Https, 4)]
    [TestCase("example.org", (ushort)255, 4)]
    [TestCase("1.0.168.192.in-addr.arpa", DnsProbe.Ptr, 3)]
    [TestCase("0.168.192.in-addr.arpa", DnsProbe.Ptr, 3)]
    [TestCase("example.org", DnsProbe.Ptr, 3)]
    [TestCase("", DnsProbe.A, 0)]
    public async Task What_no_worker_is_to_be_asked_is_answered_here(string name, ushort type, int code, CancellationToken token)
    {
        await StartAsync(static options =>
        {
            var rule = new RuleOptions { Name = "ads", Route = RuleRoute.Reject };
            rule.Domains.Add("ads.example");
            options.Route.Rules.Add(rule);
            options.Listeners.Add(new ListenerOptions
            {
                Name = "lan",
                Address = new IPEndPoint(IPAddress.Loopback, 0),
                Protocols = ListenerProtocols.Transparent,
                DenyTargets = { new TargetPattern("denied.test", TargetScope.Name, "denied.test", default, TargetPattern.EveryPort) },
            });
        });

        Assert.That((await AskAsync(name, type, token)).Code, Is.EqualTo(code));
        Assert.That(_worker.Requests, Is.Empty);
    }

    [Test]
    public async Task A_name_that_leads_to_a_private_address_does_not_exist(
        [Values("192.168.0.1", "127.0.0.1", "10.192.0.9", "fd00::1")] string address, CancellationToken token)
    {
        _worker.ReplyAddress = _ => IPAddress.Parse(address);
        await StartAsync();
        ushort type = address.Contains(':') ? DnsProbe.Aaaa : DnsProbe.A;
        Assert.That((await AskAsync("rebind.test", type, token)).Code, Is.EqualTo(3));
    }

    [Test]
    public async Task Onion_names_get_virtual_addresses_that_lead_back(CancellationToken token)
    {
        await StartAsync();
        var v4 = (await AskAsync($"www.{Onion}", DnsProbe.A, token)).Address!;
        var v6 = (await AskAsync($"www.{Onion}".ToUpperInvariant(), DnsProbe.Aaaa, token)).Address!;

        var names = _proxy.Get<VirtualNames>();
        Assert.That((names.Find(v4), names.Find(v6)), Is.EqualTo(($"www.{Onion}", $"www.{Onion}")));
        string reverse = string.Join('.', v4.GetAddressBytes().Reverse()) + ".in-addr.arpa";
        var name = await AskAsync(reverse, DnsProbe.Ptr, token);
        Assert.That(name.Data, Is.EqualTo((byte[])
            [3, .. "www"u8, 56, .. "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid"u8, 5, .. "onion"u8, 0]));
        Assert.That((await AskAsync("1.0.255.10.in-addr.arpa", DnsProbe.Ptr, token)).Code, Is.EqualTo(3), "one that stands for nothing");
        Assert.That(_worker.Requests, Is.Empty);
    }

    /// <summary>The kernel lets a socket that is connected hear nobody but the address that it has asked.</summary>
    [TestCase("0.0.0.0", "127.0.0.9")]
    [TestCase("0.0.0.0", "127.0.0.1")]
    [TestCase("::", "127.0.0.9")]
    [TestCase("::", "::1")]
    [TestCase("127.0.0.9", "127.0.0.9")]
    public async Task Answer_leaves_from_the_address_that_was_asked(string bound, string asked, CancellationToken token)
    {
        await StartAsync(options =>
        {
            options.Dns.Address = new IPEndPoint(IPAddress.Parse(bound), 0);
            options.Dns.AllowFrom.Add(IPNetwork.Parse("127.0.0.0/8"));
            options.Dns.AllowFrom.Add(IPNetwork.Parse("::1/128"));
        });
        var place = new IPEndPoint(IPAddress.Parse(asked), At.Port);
        byte[] query = DnsProbe.Query("a.test", DnsProbe.A);

        Assert.That((await DnsProbe.AskAsync(place, query, token)).Address, Is.EqualTo(Answer));
        if (place.AddressFamily == AddressFamily.InterNetwork)
            Assert.That((await DnsProbe.AskAsync(place, query, token, Other)).Address, Is.EqualTo(Answer));
        Assert.That((await DnsProbe.AskOverTcpAsync(place, token, query)).Single().Address, Is.EqualTo(Answer));
    }

    [Test]
    public async Task Over_TCP_several_questions_are_answered_on_one_connection(CancellationToken token)
    {
        await StartAsync();
        var answers = await DnsProbe.AskOverTcpAsync(
            At, token, DnsProbe.Query("a.test", DnsProbe.A), DnsProbe.Query("b.test", DnsProbe.Txt), DnsProbe.Query("c.test", DnsProbe.A));
        Assert.That(answers.Select(static one => (one.Code, one.Records)), Is.EqualTo(new[] { (0, 1), (4, 0), (0, 1) }));
    }

    [Test]
    public async Task Malformed_messages_are_answered_or_not_and_do_no_harm(CancellationToken token)
    {
        await StartAsync();
        byte[] query = DnsProbe.Query("a.test", DnsProbe.A);
        Assert.That((await DnsProbe.AskAsync(At, query[..14], token)).Code, Is.EqualTo(1));
        using (var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
        {
            query[2] |= 0x80;
            await socket.SendToAsync(query, At, token);
            await socket.SendToAsync(query.AsMemory(0, 5), At, token);
            await socket.SendToAsync(Memory<byte>.Empty, At, token);
        }

        while (Counters.Queries(DnsKind.Other, DnsOutcome.FormatError) < 4)
            await Task.Delay(10, token);
        Assert.That((await AskAsync("a.test", DnsProbe.A, token)).Code, Is.Zero);
    }

    [Test]
    public async Task Who_asks_too_much_is_not_answered_and_others_are(CancellationToken token)
    {
        await StartAsync(static options => options.Dns.QueryRatePerClient = new ConnectionRate(1, TimeSpan.FromHours(1), 2));
        Assert.That((await AskAsync("a.test", DnsProbe.A, token)).Code, Is.Zero);
        Assert.That((await AskAsync("a.test", DnsProbe.A, token)).Code, Is.Zero);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(token);
        var unanswered = AskAsync("a.test", DnsProbe.A, patience.Token);
        while (Counters.Queries(DnsKind.Other, DnsOutcome.Limited) == 0)
            await Task.Delay(10, token);
        Assert.That((await DnsProbe.AskAsync(At, DnsProbe.Query("a.test", DnsProbe.A), token, Other)).Code, Is.Zero);
        await patience.CancelAsync();
        Assert.That(async () => await unanswered, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task Whom_AllowFrom_does_not_name_hears_nothing(CancellationToken token)
    {
        await StartAsync(static options => options.Dns.AllowFrom.Add(IPNetwork.Parse("127.0.0.2/32")));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(token);
        var unanswered = AskAsync("a.test", DnsProbe.A, patience.Token);
        while (Counters.Queries(DnsKind.Other, DnsOutcome.NotAllowed) == 0)
            await Task.Delay(10, token);
        Assert.That((await DnsProbe.AskAsync(At, DnsProbe.Query("a.test", DnsProbe.A), token, Other)).Code, Is.Zero);
        await patience.CancelAsync();
        Assert.That(async () => await unanswered, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(
            async () => await DnsProbe.AskOverTcpAsync(At, token, DnsProbe.Query("a.test", DnsProbe.A)),
            Throws.InstanceOf<IOException>().Or.InstanceOf<SocketException>());
    }

    private Task<DnsProbeAnswer> AskAsync(string name, ushort type, CancellationToken token) =>
        DnsProbe.AskAsync(At, DnsProbe.Query(name, type, edns: 1232), token);

    private async Task StartAsync(Action<TorBalancerOptions>? configure = null)
    {
        _proxy = await ProxyUnderTest.StartAsync([_worker.EndPoint], options =>
        {
            options.Dns.Address = new IPEndPoint(IPAddress.Loopback, 0);
            configure?.Invoke(options);
        });
        Server.Start();
    }
}
