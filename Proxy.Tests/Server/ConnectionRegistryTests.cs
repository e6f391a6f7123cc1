using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Server;

/// <summary>Who gives a place to others that wait for one.</summary>
public sealed class ConnectionRegistryTests
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly ManualTimeProvider _time = new();
    private ConnectionRegistry _registry = null!;

    [SetUp]
    public void SetUp() => _registry = new ConnectionRegistry(false);

    [TearDown]
    public void TearDown() => _registry.Dispose();

    [Test]
    public void MakeRoom_ends_who_has_said_nothing_for_two_seconds()
    {
        var silent = Add();
        var speaks = Add(ClientProtocol.Socks5);
        var asked = Add(ClientProtocol.Socks5, hasRequest: true);

        _time.Advance(ConnectionRegistry.PatienceWithSilent - Look);
        Assert.That(_registry.MakeRoom(_time), Is.Zero);
        _time.Advance(Look);
        Assert.That(_registry.MakeRoom(_time), Is.EqualTo(1));
        Assert.That((silent.GaveWay, speaks.GaveWay, asked.GaveWay), Is.EqualTo((true, false, false)));
    }

    [Test]
    public void MakeRoom_waits_for_less_where_others_wait_all_the_time()
    {
        for (var waited = TimeSpan.Zero; waited <= ConnectionRegistry.CrowdedAfter; waited += Look)
        {
            _registry.MakeRoom(_time);
            _time.Advance(Look);
        }

        var silent = Add();
        var speaks = Add(ClientProtocol.Socks5);
        var shakesHands = Add(tls: true);
        _time.Advance(ConnectionRegistry.PatienceInACrowd);
        Assert.That(_registry.MakeRoom(_time), Is.EqualTo(1));
        Assert.That((silent.GaveWay, speaks.GaveWay, shakesHands.GaveWay), Is.EqualTo((true, false, false)));

        // When nobody has waited for a while, it is as at first.
        var later = Add();
        _time.Advance(ConnectionRegistry.PatienceWithSilent - Look);
        _registry.MakeRoom(_time);
        Assert.That(later.GaveWay, Is.False);
    }

    [Test]
    public void MakeRoom_ends_those_that_came_first()
    {
        var clients = Enumerable.Range(0, ConnectionRegistry.MostToGiveWay + 10).Select(_ => Add()).ToArray();
        _time.Advance(ConnectionRegistry.PatienceWithSilent);

        Assert.That(_registry.MakeRoom(_time), Is.EqualTo(ConnectionRegistry.MostToGiveWay));
        Assert.That(clients.TakeLast(10).Any(static one => one.GaveWay), Is.False);
        Assert.That(clients.SkipLast(10).All(static one => one.GaveWay), Is.True);
    }

    private Client Add(ClientProtocol protocol = ClientProtocol.Unknown, bool hasRequest = false, bool tls = false)
    {
        var options = new ListenerOptions { Name = "main", Tls = tls ? new CertificateFiles("cert.pem", "key.pem") : null };
        var context = new ConnectionContext(
            _registry.NextId(), new ListenerModel(options, IsolationMode.Client), null, _time.GetTimestamp())
        {
            Protocol = protocol,
            HasRequest = hasRequest,
        };
        var client = new Client(context);
        _registry.Add(client);
        return client;
    }

    private sealed class Client(ConnectionContext context) : LiveConnection(context)
    {
        public bool GaveWay { get; private set; }

        public override void Abort(TunnelEnd reason)
        {
        }

        public override void GiveWay() => GaveWay = true;

        public override void CountBytes()
        {
        }
    }
}
