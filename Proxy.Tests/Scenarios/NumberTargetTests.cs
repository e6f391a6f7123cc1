using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// Targets that only some programs read as an address (inet_aton; browsers make one of them before they ask). To judge one as a name would
/// let it past a rule about the address that an exit's resolver may find in it; to judge it as an address would send what nobody wrote.
/// </summary>
public sealed class NumberTargetTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [TestCase("1.2.3")]
    [TestCase("127.1")]
    [TestCase("2130706433")]
    [TestCase("0x7f000001")]
    [TestCase("0x7f.0.0.1")]
    [TestCase("017700000001")]
    [TestCase("0177.0.0.1")]
    [TestCase("010.1.2.3.")]
    [TestCase("256.256.256.256")]
    [CancelAfter(60_000)]
    public async Task Number_is_refused_in_every_protocol_and_no_worker_is_asked(string host, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static _ => 0 };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], options =>
        {
            ErrorMatrix.AddExtendedListener(options);

            // One that is about all addresses there are is no way around it either.
            options.Route.Rules.Add(new RuleOptions
            {
                Name = "all",
                Networks = { System.Net.IPNetwork.Parse("0.0.0.0/0") },
                Domains = { "1", "3", "0x7f000001" },
                Route = RuleRoute.Socks,
            });
        });

        await ErrorMatrix.AssertAsync(
            proxy, host, 80, Limit, new Expected(0x02, 0x02, 403, "http_request_denied", "route_rejected", 0), token);
        await using var stream = await proxy.ConnectAsync();
        Assert.That((await SocksClient.RequestAsync(stream, host, 0, token, command: 0xF0))[1], Is.EqualTo(0x02), "RESOLVE");
        Assert.That(worker.Accepted, Is.Zero);
    }

    [TestCase("http://1.2.3/")]
    [TestCase("http://0x7f000001/")]
    [TestCase("http://017700000001/")]
    [CancelAfter(60_000)]
    public async Task Fetch_of_a_number_is_refused_as_well(string url, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync($$"""{"url":"{{url}}"}""", token);

        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("route_rejected"));
        Assert.That(worker.Accepted, Is.Zero);
    }
}
