using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Targets that no exit can reach are answered at once and by nobody else.</summary>
public sealed class PrivateTargetScenarioTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [TestCase("localhost")]
    [TestCase("WWW.LocalHost.")]
    [TestCase("printer.local")]
    [TestCase("nas.home.arpa.")]
    [TestCase("127.0.0.1")]
    [TestCase("127.0.0.1.")]
    [TestCase("169.254.169.254")]
    [TestCase("100.64.0.1")]
    [TestCase("0.0.0.0")]
    [CancelAfter(60_000)]
    public async Task Private_target_is_refused_before_any_worker_is_asked(string host, CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Reply = static _ => 1 };
        await using var proxy = await ProxyUnderTest.StartAsync([worker.EndPoint], ErrorMatrix.AddExtendedListener);

        await ErrorMatrix.AssertAsync(
            proxy, host, 80, Limit, new Expected(0x02, 0x02, 403, "destination_ip_prohibited", "private_target", 0), token);

        Assert.That((worker.Accepted, proxy.Pool.Snapshot.All[0].TotalFailures), Is.EqualTo((0, 0)));
    }

    [TestCase("[::]")]
    [TestCase("[::1]")]
    [TestCase("[FEC0::1]")]
    [TestCase("[fe80::1]")]
    [TestCase("[::FFFF:10.0.0.1]")]
    [CancelAfter(60_000)]
    public async Task Private_address_of_IPv6_is_refused_over_HTTP(string host, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);

        foreach (var kind in (ProbeKind[])[ProbeKind.Connect, ProbeKind.Absolute])
        {
            var answer = await ClientProbe.AskAsync(kind, proxy.Address, host, 80, token);
            Assert.That(
                (answer.Code, answer.Header("Proxy-Status")),
                Is.EqualTo((403, "torbalancer; error=destination_ip_prohibited; details=\"cause=private_target\"")));
        }

        Assert.That(worker.Accepted, Is.Zero);
    }

    [TestCase("localhost", (byte)0xF0)]
    [TestCase("x.local", (byte)0xF0)]
    [TestCase("10.0.0.1", (byte)0xF1)]
    [CancelAfter(60_000)]
    public async Task Private_target_is_not_resolved_either(string host, byte command, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var stream = await proxy.ConnectAsync();

        Assert.That((await SocksClient.RequestAsync(stream, host, 0, token, command: command))[1], Is.EqualTo(0x02));
        Assert.That(worker.Accepted, Is.Zero);
    }

    [TestCase("http://localhost/")]
    [TestCase("https://[::ffff:a00:1]/")]
    [CancelAfter(60_000)]
    public async Task Fetch_of_a_private_target_says_so(string url, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);

        var answer = await admin.FetchAsync($$"""{"url":"{{url}}"}""", token);

        Assert.That(answer.GetProperty("error").GetProperty("cause").GetString(), Is.EqualTo("private_target"));
        Assert.That(worker.Accepted, Is.Zero);
    }
}
