using System.Text.Json;
using TorBalancer.Admin.Metrics;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>What contrib/ has for Prometheus and Grafana, by itself; with a running daemon it is in MetricsScenarioTests.</summary>
[CancelAfter(60_000)]
public class ContribTests
{
    internal static string Rules => Path.Combine(Repository.Root, "contrib/prometheus/torbalancer.rules.yml");

    [TestCase("check", "rules", "torbalancer.rules.yml")]
    [TestCase("test", "rules", "torbalancer.rules.test.yml")]
    public async Task Promtool_accepts_the_alert_rules(string verb, string kind, string file, CancellationToken token)
    {
        var result = await ClientProcess.RunAsync(
            "promtool", [verb, kind, file], token, directory: Path.GetDirectoryName(Rules));

        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        Assert.That(result.Output, Does.Contain("SUCCESS"));
    }

    [Test]
    public void Every_alert_has_a_test_of_when_it_fires()
    {
        string tests = Repository.Text("contrib/prometheus/torbalancer.rules.test.yml");
        string[] alerts =
            [.. File.ReadLines(Rules).Where(static line => line.Contains("- alert: ")).Select(static line => line.Split(": ")[1])];

        Assert.That(alerts, Is.Not.Empty.And.Unique);
        foreach (string alert in alerts)
            Assert.That(tests, Does.Match($@"alertname: {alert}\n +exp_alerts: \[\{{"), alert);
    }

    [Test]
    public void Dashboard_shows_metrics_that_there_are_and_most_of_them()
    {
        string all = string.Join('\n', DashboardQueries());
        foreach (string name in System.Text.RegularExpressions.Regex.Matches(all + File.ReadAllText(Rules), @"\btorbalancer_\w+")
            .Select(static match => match.Value).Distinct())
        {
            string shown = name.EndsWith("_bucket", StringComparison.Ordinal) ? name[..^"_bucket".Length] : name;
            Assert.That(MetricFamilies.All.Select(static one => one.SampleName), Does.Contain(shown));
        }

        string[] absent =
            [.. MetricFamilies.All.Select(static one => one.SampleName).Where(name => !all.Contains(name, StringComparison.Ordinal))];
        Assert.That(
            absent, Is.EquivalentTo(new[]
            {
                "torbalancer_listener_connections_total", "torbalancer_worker_info", "torbalancer_worker_weight",
                "torbalancer_tor_info", "torbalancer_build_info",
            }));
    }

    /// <summary>Each query of each panel.</summary>
    internal static IReadOnlyList<string> DashboardQueries() =>
    [
        .. JsonDocument.Parse(Repository.Text("contrib/grafana/torbalancer.json")).RootElement.GetProperty("panels").EnumerateArray()
            .Where(static panel => panel.TryGetProperty("targets", out _))
            .SelectMany(static panel => panel.GetProperty("targets").EnumerateArray())
            .Select(static target => target.GetProperty("expr").GetString()!),
    ];
}
