using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Balance;

/// <summary>A real publisher that a real Prometheus scrapes: the dashboard's queries have answers, and its alerts fire.</summary>
[SupportedOSPlatform("linux")]
public sealed partial class PublisherDashboardTests
{
    [Test, CancelAfter(180_000)]
    public async Task Dashboard_has_answers_and_an_instance_that_dies_is_told(CancellationToken token)
    {
        ClientProcess.Require("prometheus");
        var network = await SharedTestNetwork.GetAsync();
        using var identity = IdentityKey.Generate();
        await using var fleet = await BackendFleet.StartAsync(network, [identity.Address], 2, 2, token);
        await using var publisher = await OnionPublisher.StartAsync(
            network, identity, fleet.Addresses, token, "HealthCheck = tcp:80");
        await using var bridge = new UnixBridge(publisher.StatusPath);

        // How long an alert waits is what promtool tests.
        string rules = Wait().Replace(await File.ReadAllTextAsync(ContribTests.Rules, token), "for: 0s");
        await using var prometheus = await PrometheusUnderTest.StartAsync(bridge.Address, rules, token);
        await publisher.PublishedAsync(2, token);
        const string uploads = "rate(torbalancer_publisher_uploads_total{outcome=\"done\"}[20s])";
        await UntilAsync(async () => (await prometheus.QueryAsync(uploads, token)).Count > 0, token);
        await ContribTests.AssertDashboardAnswersAsync(prometheus, ContribTests.PublisherDashboard, token);
        Assert.That((await prometheus.RulesAsync(token)).Where(static rule => rule.Health != "ok"), Is.Empty);
        await UntilAsync(async () => (await prometheus.FiringAsync(token)).Count == 0, token);

        await fleet.StopAsync(1);
        await UntilAsync(async () => (await prometheus.FiringAsync(token)).Contains("TorBalancerInstanceDown node1"), token);
        await UntilAsync(
            async () => (await prometheus.QueryAsync("torbalancer_publisher_descriptor_instances == 1", token)).Count == 2, token);
    }

    private static async Task UntilAsync(Func<Task<bool>> holds, CancellationToken token)
    {
        while (!await holds())
            await Task.Delay(200, token);
    }

    [GeneratedRegex("for: [0-9]+[smh]")]
    private static partial Regex Wait();
}
