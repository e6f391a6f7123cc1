using System.Text.Json;
using System.Text.RegularExpressions;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// What contrib/ has for Prometheus and Grafana, by itself; with a running daemon it is in MetricsScenarioTests, with a publisher in
/// PublisherDashboardTests.
/// </summary>
[CancelAfter(60_000)]
public partial class ContribTests
{
    internal const string Dashboard = "torbalancer.json", PublisherDashboard = "torbalancer-publisher.json";

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

    [TestCase(
        Dashboard, "torbalancer_listener_connections_total", "torbalancer_worker_info", "torbalancer_worker_weight", "torbalancer_tor_info",
        "torbalancer_build_info")]
    [TestCase(PublisherDashboard)]
    public void Dashboard_shows_metrics_that_there_are_and_all_but(string dashboard, params string[] absent)
    {
        var families = dashboard == Dashboard ? Samples(MetricFamilies.All) : Samples(PublisherMetrics.All);
        string[] shown = [.. DashboardQueries(dashboard).SelectMany(NamesIn).Distinct()];

        Assert.That(shown, Is.SubsetOf(families));
        Assert.That(families.Except(shown), Is.EquivalentTo(absent));
    }

    [Test]
    public void Alerts_ask_for_metrics_that_there_are() => Assert.That(
        NamesIn(string.Join('\n', File.ReadLines(Rules).Where(static line => !line.TrimStart().StartsWith('#')))).Distinct(),
        Is.SubsetOf(Samples(MetricFamilies.All).Concat(Samples(PublisherMetrics.All))));

    [TestCase(Dashboard)]
    [TestCase(PublisherDashboard)]
    public void Dashboard_is_whole(string dashboard)
    {
        var root = JsonDocument.Parse(Repository.Text($"contrib/grafana/{dashboard}")).RootElement;
        var panels = root.GetProperty("panels").EnumerateArray().ToArray();
        var places = panels.Select(static panel => panel.GetProperty("gridPos"))
            .Select(static at => (X: Of(at, "x"), Y: Of(at, "y"), W: Of(at, "w"), H: Of(at, "h"))).ToArray();

        Assert.That(root.GetProperty("uid").GetString(), Is.EqualTo(Path.GetFileNameWithoutExtension(dashboard)));
        Assert.That(panels.Select(static panel => panel.GetProperty("id").GetInt32()), Is.Unique);
        Assert.That(places, Is.All.Matches<(int X, int Y, int W, int H)>(static one => one.X + one.W <= 24));
        for (int i = 0; i < places.Length; i++)
        {
            Assert.That(
                places.Take(i).Where(other => AreOver(other, places[i])), Is.Empty, panels[i].GetProperty("title").GetString());
        }

        Assert.That(Repository.Text("eng/package.sh"), Does.Contain("for example in contrib/*/*"), "it is in the package");
    }

    /// <summary>Each query of each panel.</summary>
    internal static IReadOnlyList<string> DashboardQueries(string dashboard) =>
    [
        .. JsonDocument.Parse(Repository.Text($"contrib/grafana/{dashboard}")).RootElement.GetProperty("panels").EnumerateArray()
            .Where(static panel => panel.TryGetProperty("targets", out _))
            .SelectMany(static panel => panel.GetProperty("targets").EnumerateArray())
            .Select(static target => target.GetProperty("expr").GetString()!),
    ];

    /// <summary>Asks a real Prometheus each of them: all have an answer, but those that only show what is more than nothing.</summary>
    internal static async Task AssertDashboardAnswersAsync(PrometheusUnderTest prometheus, string dashboard, CancellationToken token)
    {
        foreach (string query in DashboardQueries(dashboard))
        {
            string expression = query.Replace("$__rate_interval", "20s", StringComparison.Ordinal);
            foreach (string variable in (string[])["$job", "$instance", "$service"])
                expression = expression.Replace($"\"{variable}\"", "\".*\"", StringComparison.Ordinal);
            var result = await prometheus.QueryAsync(expression, token);
            Assert.That(result, expression.EndsWith(" > 0", StringComparison.Ordinal) ? Is.Not.Null : Is.Not.Empty, expression);
        }
    }

    private static string[] Samples(IEnumerable<MetricDescription> metrics) => [.. metrics.Select(static one => one.SampleName)];

    // A histogram's buckets are its own.
    private static IEnumerable<string> NamesIn(string query) => Name().Matches(query).Select(
        static match => match.Value.EndsWith("_bucket", StringComparison.Ordinal) ? match.Value[..^"_bucket".Length] : match.Value);

    private static int Of(JsonElement place, string name) => place.GetProperty(name).GetInt32();

    private static bool AreOver((int X, int Y, int W, int H) one, (int X, int Y, int W, int H) other) =>
        one.X < other.X + other.W && other.X < one.X + one.W && one.Y < other.Y + other.H && other.Y < one.Y + one.H;

    [GeneratedRegex(@"\btorbalancer_\w+")]
    private static partial Regex Name();
}
