using TorBalancer.Testnet;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Failures that lie behind the workers, asked for in every way that a client can ask.</summary>
public sealed class TargetErrorTests : ScenarioFixture
{
    // Right in every respect (checksum included), and published by nobody: the key is a test vector of RFC 8032.
    private const string UnknownOnion = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private ProxyUnderTest _proxy = null!;

    [OneTimeSetUp]
    public async Task StartOwnProxyAsync() => _proxy = await StartProxyAsync(options =>
    {
        ErrorMatrix.AddExtendedListener(options);
        options.Connect.Timeout = Limit;
    });

    [OneTimeTearDown]
    public async Task StopOwnProxyAsync()
    {
        if (_proxy is not null)
            await _proxy.DisposeAsync();
    }

    // Exits end such a stream with MISC rather than CONNECTREFUSED, so tor says 01 and the cause is a general one.
    [Test, CancelAfter(90_000)]
    public Task Closed_port_of_a_name(CancellationToken token) =>
        AssertAsync(
            TestNetwork.OriginName, Network.ClosedPort, new Expected(0x01, 0x01, 502, "destination_unavailable", "general_failure", 3),
            token);

    // 01 for a private address is what every worker would say: one is enough.
    [Test, CancelAfter(90_000)]
    public Task Closed_port_of_a_literal(CancellationToken token) =>
        AssertAsync("127.0.0.1", Network.ClosedPort, new Expected(0x01, 0x01, 502, "destination_unavailable", "general_failure", 1), token);

    [TestCase("nx.test")]
    [TestCase("empty.test")]
    [CancelAfter(90_000)]
    public Task Unknown_name(string name, CancellationToken token) =>
        AssertAsync(name, 80, new Expected(0x04, 0x04, 502, "dns_error", "host_unreachable", 2), token);

    // No exit takes this port, which tor knows before it asks one: 01, not 02.
    [Test, CancelAfter(90_000)]
    public Task Port_that_no_exit_allows(CancellationToken token) =>
        AssertAsync(TestNetwork.OriginName, 25, new Expected(0x01, 0x01, 502, "destination_unavailable", "general_failure", 3), token);

    [Test, CancelAfter(90_000)]
    public Task Unknown_onion_service(CancellationToken token) =>
        AssertAsync(UnknownOnion, 80, new Expected(0x04, 0xF0, 502, "dns_error", "onion_not_found", 2), token);

    // Refused before any worker is asked: attempts are not told.
    [TestCase("35njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion")]
    [TestCase("expyuzz4wqqyqhjn.onion")]
    [TestCase("short.onion")]
    [CancelAfter(90_000)]
    public Task Malformed_onion_address(string name, CancellationToken token) =>
        AssertAsync(name, 80, new Expected(0x01, 0xF6, 400, "http_request_error", "onion_address_invalid", 0), token);

    // A way to the service may fail before the service can refuse, and then another worker asks: how many did is up to tor.
    [Test, CancelAfter(90_000)]
    public Task Port_that_the_onion_service_does_not_have(CancellationToken token) =>
        AssertAsync(Network.OnionAddress, 81, new Expected(0x05, 0x05, 502, "connection_refused", "connection_refused", 0), token);

    // Tor itself would go on for two minutes; the client hears of it when [Connect] Timeout says so.
    [Test, CancelAfter(60_000)]
    public async Task Address_that_every_exit_refuses_ends_with_our_own_deadline(CancellationToken token)
    {
        var limit = TimeSpan.FromSeconds(3);
        await using var proxy = await StartProxyAsync(options =>
        {
            ErrorMatrix.AddExtendedListener(options);
            options.Connect.Timeout = limit;
        });
        await ErrorMatrix.AssertAsync(
            proxy, TestNetwork.BlockedAddress.ToString(), 80, limit,
            new Expected(0x06, 0x06, 504, "connection_timeout", "connect_timeout", 1), token);
    }

    [Test, CancelAfter(90_000)]
    public async Task Failures_of_targets_count_against_no_worker(CancellationToken token)
    {
        await using var proxy = await StartProxyAsync();
        foreach (
            var (host, port) in ((string, int)[])[
                ("nx.test", 80), (UnknownOnion, 80), (Network.OnionAddress, 81), ("127.0.0.1", Network.ClosedPort)])
            Assert.That((await ClientProbe.AskAsync(ProbeKind.Socks5, proxy.Address, host, port, token)).Code, Is.Not.Zero);
        Assert.That(proxy.Pool.Snapshot.All.Sum(static worker => worker.TotalFailures), Is.Zero);
    }

    private Task AssertAsync(string host, int port, Expected expected, CancellationToken token) =>
        ErrorMatrix.AssertAsync(_proxy, host, port, Limit, expected, token);
}
