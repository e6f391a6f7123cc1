using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Admin.Metrics;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios.Resilience;

/// <summary>
/// A daemon under traffic whose workers are killed, drained and brought back, with a real Prometheus that scrapes it: metrics, API and log
/// say the same, the dashboard's queries have answers, and alerts fire.
/// </summary>
public sealed partial class MetricsScenarioTests : ResilienceFixture
{
    private HttpClient _client = null!;
    private string _admin = "";

    [SetUp]
    public void MakeClient() => _client = new HttpClient(new SocketsHttpHandler { UseProxy = false });

    [TearDown]
    public void DisposeClient() => _client.Dispose();

    [Test, CancelAfter(150_000), Category(ProgramRun.Native)]
    public async Task Metrics_API_log_and_a_real_Prometheus_agree_at_each_step(CancellationToken token)
    {
        string victim = Network.Workers[0].Name, drained = Network.Workers[1].Name;
        string configuration = DaemonUnderTest.ConfigurationFor(Network)
            .Replace("[Health]\n", "[Health]\nCheckInterval = 1s\nRecoveryBackoff = 1s\n", StringComparison.Ordinal);
        await using var daemon = await DaemonUnderTest.StartAsync(
            configuration, token, admin: "Address = 127.0.0.1:0",
            environment: new Dictionary<string, string>
            {
                ["TORBALANCER_Listener__main__Auth"] = "optional",
                ["TORBALANCER_Listener__main__Users"] = "ann:secret",
            });
        string target = await daemon.AdminAddressAsync(token);
        _admin = "http://" + target;

        // How long an alert waits is what promtool tests; here it is what makes it fire.
        string rules = Wait().Replace(await File.ReadAllTextAsync(ContribTests.Rules, token), "for: 0s");
        await using var prometheus = await PrometheusUnderTest.StartAsync(target, rules, token);
        await using (var load = SteadyLoad.Start(daemon.Address, Network.EchoPort, perSecond: 20))
        {
            await load.MoreAsync(40, token);
            await FailAsync(daemon, token);
            await AssertAgreementAsync(token);

            await Network.KillAsync(victim);
            try
            {
                await UntilStateAsync(victim, "RECOVERY", token);
                await AssertAgreementAsync(token);
                await UntilFiringAsync(prometheus, $"TorBalancerWorkerDown {victim}", isFiring: true, token);

                await PostAsync($"/api/v1/workers/{drained}/drain", token);
                var values = await AssertAgreementAsync(token);
                Assert.That(values[$"torbalancer_worker_draining{{worker=\"{drained}\"}}"], Is.EqualTo(1));
                Assert.That(values[$"torbalancer_worker_eligible{{worker=\"{drained}\"}}"], Is.Zero);
                await load.MoreAsync(20, token);
            }
            finally
            {
                await Network.RestartAsync(victim, CancellationToken.None);
            }

            await UntilStateAsync(victim, "HEALTHY", token);
            await FailAsync(daemon, token);
            await PostAsync($"/api/v1/workers/{drained}/enable", token);
            await load.MoreAsync(40, token);
            await AssertAgreementAsync(token);
            await UntilFiringAsync(prometheus, $"TorBalancerWorkerDown {victim}", isFiring: false, token);

            // What counts as a rate needs two scrapes of it.
            await UntilAnsweredAsync(
                async () => (await prometheus.QueryAsync("rate(torbalancer_requests_total{cause!=\"ok\"}[20s]) > 0", token)).Count > 0,
                "a failure was scraped", token);
            await AssertQueriesAsync(prometheus, token);

            foreach (var worker in Network.Workers)
                await PostAsync($"/api/v1/workers/{worker.Name}/drain", token);
            await UntilFiringAsync(prometheus, "TorBalancerNoWorker", isFiring: true, token);
            await load.StopAsync();
        }

        await AssertQuietAgreementAsync(daemon, victim, token);
    }

    /// <summary>A name that does not exist: a failure of its own kind, which is no worker's fault.</summary>
    /// <summary>A user asks for what is not there.</summary>
    private static async Task FailAsync(DaemonUnderTest daemon, CancellationToken token)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(daemon.Address, token);
        byte[] reply = await SocksClient.RequestAsync(client.GetStream(), "nx.test", 80, token, "ann", "secret");
        Assert.That(reply[1], Is.Not.Zero);
    }

    /// <summary>
    /// While there is traffic: whatever the API says lies between two scrapes around it. States change at their own time; asked again,
    /// they are the same.
    /// </summary>
    private async Task<Dictionary<string, double>> AssertAgreementAsync(CancellationToken token)
    {
        for (int tries = 0; ; tries++)
        {
            var before = await ScrapeAsync(token);
            var workers = (await GetAsync("/api/v1/workers", token)).GetProperty("workers");
            var after = await ScrapeAsync(token);
            try
            {
                foreach (var worker in workers.EnumerateArray())
                    AssertBetween(worker, before, after);
                return after;
            }
            catch (Exception failure) when (failure is AssertionException && tries < 5)
            {
                // A worker changed its state between the three questions, if that is what it was.
            }
        }
    }

    private static void AssertBetween(JsonElement worker, Dictionary<string, double> before, Dictionary<string, double> after)
    {
        string label = $"{{worker=\"{worker.GetProperty("id").GetString()}\"}}";
        foreach (var (field, metric) in Counters)
        {
            Assert.That(
                worker.GetProperty(field).GetDouble(), Is.InRange(before[metric + label], after[metric + label]),
                $"{metric}{label}");
        }

        AssertStates(worker, after);
    }

    private static readonly (string Field, string Metric)[] Counters =
    [
        ("total_connections", "torbalancer_worker_connections_total"), ("total_failures", "torbalancer_worker_failures_total"),
        ("bytes_sent", "torbalancer_worker_sent_bytes_total"), ("bytes_received", "torbalancer_worker_received_bytes_total"),
    ];

    private static void AssertStates(JsonElement worker, Dictionary<string, double> values)
    {
        string id = worker.GetProperty("id").GetString()!;
        var health = worker.GetProperty("health");
        foreach (string state in (string[])["healthy", "suspect", "dead", "recovery"])
        {
            bool isIn = state.Equals(health.GetProperty("state").GetString(), StringComparison.OrdinalIgnoreCase);
            if (values[$"torbalancer_worker_state{{worker=\"{id}\",state=\"{state}\"}}"] != (isIn ? 1 : 0))
                throw new AssertionException($"{id} {state}");
        }

        bool drains = health.GetProperty("administrative").GetString() == "draining";
        if (values[$"torbalancer_worker_draining{{worker=\"{id}\"}}"] != (drains ? 1 : 0))
            throw new AssertionException($"{id} draining");
    }

    /// <summary>When all is over, everything is exact: the API, the log, and what became of the worker that was killed.</summary>
    private async Task AssertQuietAgreementAsync(DaemonUnderTest daemon, string victim, CancellationToken token)
    {
        Dictionary<string, double> values;
        string[] lines;
        do
        {
            await Task.Delay(100, token);
            values = await ScrapeAsync(token);
            lines = [.. daemon.Lines.Where(static line => AccessLine().IsMatch(line))];
        }
        while (Sum(values, "torbalancer_listener_active_connections") > 0 || Sum(values, "torbalancer_requests_total") > lines.Length);

        // Probes go on, and take circuits of their own.
        var workers = (await GetAsync("/api/v1/workers", token)).GetProperty("workers");
        var after = await ScrapeAsync(token);
        foreach (var worker in workers.EnumerateArray())
        {
            string used = $"torbalancer_warm_circuits_used_total{{worker=\"{worker.GetProperty("id").GetString()}\"}}";
            Assert.That(
                worker.GetProperty("tor").GetProperty("warm").GetProperty("used").GetDouble(), Is.InRange(values[used], after[used]), used);
        }

        await AssertAgreementAsync(token);

        var logged = lines.GroupBy(static line => (Field(line, "protocol"), Field(line, "cause")))
            .ToDictionary(static one => one.Key, static one => (double)one.Count());
        var counted = Of(values, "torbalancer_requests_total").Where(static one => one.Value > 0)
            .ToDictionary(static one => (Label(one.Key, "protocol"), Label(one.Key, "cause")), static one => one.Value);
        Assert.That(counted, Is.EquivalentTo(logged), "one for each line of the log");
        Assert.That(logged, Does.ContainKey(("socks5", "no_worker_available")), "all of them were drained at the end");

        string transitions = $"torbalancer_worker_transitions_total{{worker=\"{victim}\",";
        Assert.That(values[transitions + "from=\"suspect\",to=\"dead\"}"], Is.GreaterThanOrEqualTo(1));
        Assert.That(values[transitions + "from=\"recovery\",to=\"healthy\"}"], Is.GreaterThanOrEqualTo(1));
        Assert.That(
            Sum(values, "torbalancer_worker_transitions_total"),
            Is.EqualTo(daemon.Lines.Count(static line => Transition().IsMatch(line))), "one for each line of the log");
        Assert.That(
            Sum(values, "torbalancer_worker_connect_seconds_count"),
            Is.EqualTo(Sum(values, "torbalancer_worker_attempts_total", "cause=\"ok\"")));
    }

    /// <summary>Each query of the dashboard and each alert's has an answer; those that nothing here gives values to are named.</summary>
    private static async Task AssertQueriesAsync(PrometheusUnderTest prometheus, CancellationToken token)
    {
        await ContribTests.AssertDashboardAnswersAsync(prometheus, ContribTests.Dashboard, token);
        var rules = await prometheus.RulesAsync(token);
        Assert.That(rules, Has.Count.EqualTo(File.ReadLines(ContribTests.Rules).Count(static line => line.Contains("- alert: "))));
        Assert.That(rules.Where(static rule => rule.Health != "ok"), Is.Empty);
        var up = await prometheus.QueryAsync("min_over_time(up{job=\"torbalancer\"}[1m])", token);
        Assert.That(up.Single().GetProperty("value")[1].GetString(), Is.EqualTo("1"), "no scrape failed");
    }

    private static Task UntilFiringAsync(PrometheusUnderTest prometheus, string alert, bool isFiring, CancellationToken token) =>
        UntilAnsweredAsync(async () => (await prometheus.FiringAsync(token)).Contains(alert) == isFiring, $"{alert}: {isFiring}", token);

    private Task UntilStateAsync(string worker, string state, CancellationToken token) => UntilAnsweredAsync(
        async () => (await GetAsync("/api/v1/health", token)).GetProperty("workers").GetProperty(worker).GetProperty("state").GetString()
            == state,
        $"{worker} {state}", token);

    private static async Task UntilAnsweredAsync(Func<Task<bool>> condition, string what, CancellationToken token)
    {
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (System.Diagnostics.Stopwatch.GetElapsedTime(started) > Patience)
                Assert.Fail($"not within {Patience.TotalSeconds} s: {what}");
            await Task.Delay(100, token);
        }
    }

    private async Task<Dictionary<string, double>> ScrapeAsync(CancellationToken token) =>
        MetricsRouteTests.Values(await _client.GetStringAsync(_admin + "/metrics", token));

    private async Task<JsonElement> GetAsync(string path, CancellationToken token) =>
        JsonDocument.Parse(await _client.GetStringAsync(_admin + path, token)).RootElement.Clone();

    private async Task PostAsync(string path, CancellationToken token)
    {
        using var response = await _client.PostAsync(_admin + path, null, token);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), path);
    }

    private static IEnumerable<KeyValuePair<string, double>> Of(Dictionary<string, double> values, string metric) =>
        values.Where(one => one.Key.StartsWith(metric + "{", StringComparison.Ordinal));

    private static double Sum(Dictionary<string, double> values, string metric, string label = "") =>
        Of(values, metric).Where(one => one.Key.Contains(label, StringComparison.Ordinal)).Sum(static one => one.Value);

    private static string Label(string sample, string name) => Regex.Match(sample, $"[{{,]{name}=\"([^\"]*)\"").Groups[1].Value;

    private static string Field(string line, string name) => Regex.Match(line, $@" {name}=(\S+)").Groups[1].Value;

    [GeneratedRegex(@"for: [0-9]+[smh]")]
    private static partial Regex Wait();

    [GeneratedRegex(@" listener=\S+ client=\S+ protocol=")]
    private static partial Regex AccessLine();

    [GeneratedRegex(@"Worker \S+: \w+ -> \w+ \(|Worker \S+ is healthy again")]
    private static partial Regex Transition();
}
