using System.Net;
using System.Net.Sockets;
using TorBalancer.Admin.Metrics;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Admin.Metrics;

/// <summary>/metrics over HTTP, in front of scripted workers.</summary>
[CancelAfter(60_000)]
public class MetricsRouteTests
{
    private const string OfPrometheus =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
            + "*/*;q=0.1";

    [TestCase(null, false)]
    [TestCase("*/*", false)]
    [TestCase("text/html, */*;q=0.8", false)]
    [TestCase(OfPrometheus, true)]
    [TestCase("application/openmetrics-text", true)]
    [TestCase("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", true)]
    [TestCase("application/openmetrics-text;version=0.0.1", false)]
    [TestCase("application/openmetrics-text;q=0.3, text/plain;q=0.5", false)]
    [TestCase("application/openmetrics-text;q=0", false)]
    [TestCase("none of these", false)]
    public async Task Accept_decides_the_format(string? accept, bool isOpenMetrics, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        var (type, text) = await GetAsync(admin, accept, token);

        Assert.That(type, Is.EqualTo(isOpenMetrics ? MetricText.OpenMetricsType : MetricText.PrometheusType));
        Assert.That(text.EndsWith("\n# EOF\n", StringComparison.Ordinal), Is.EqualTo(isOpenMetrics));
        Assert.That(text, Does.Contain($"# TYPE torbalancer_retries{(isOpenMetrics ? "" : "_total")} counter\n"));
        Assert.That(text, Does.Contain("\ntorbalancer_retries_total 0\n"), "the value's name is the same");
        Assert.That(text.Contains("# UNIT torbalancer_process_cpu_seconds seconds\n", StringComparison.Ordinal), Is.EqualTo(isOpenMetrics));
    }

    [Test]
    public async Task Promtool_finds_nothing_to_complain_of(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        await EchoAsync(admin.Proxy, token);
        var (_, text) = await GetAsync(admin, null, token);

        var result = await ClientProcess.RunAsync(
            "promtool", ["check", "metrics"], token, input: System.Text.Encoding.UTF8.GetBytes(text));

        Assert.That((result.ExitCode, result.Output + result.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public async Task What_one_connection_does_is_counted_where_it_belongs(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        await using (var client = await OpenAsync(admin.Proxy, token))
        {
            await client.WriteAsync(new byte[1000], token);
            await SocksClient.ReadAsync(client, 1000, token);

            var live = Values((await GetAsync(admin, null, token)).Text);
            Assert.That(live["torbalancer_listener_active_connections{listener=\"main\",protocol=\"socks5\"}"], Is.EqualTo(1));
            Assert.That(live["torbalancer_worker_active_connections{worker=\"worker-01\"}"], Is.EqualTo(1));
            Assert.That(live["torbalancer_worker_sent_bytes_total{worker=\"worker-01\"}"], Is.EqualTo(1000), "a tunnel that lives counts");
            Assert.That(live["torbalancer_requests_total{listener=\"main\",protocol=\"socks5\",cause=\"ok\"}"], Is.Zero, "not yet");
        }

        await admin.Proxy.Log.WaitForAsync("access", 1, token);
        var values = Values((await GetAsync(admin, OfPrometheus, token)).Text);
        Assert.Multiple(() =>
        {
            Assert.That(values["torbalancer_listener_connections_total{listener=\"main\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_listener_active_connections{listener=\"main\",protocol=\"socks5\"}"], Is.Zero);
            Assert.That(values["torbalancer_requests_total{listener=\"main\",protocol=\"socks5\",cause=\"ok\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_tunnels_ended_total{listener=\"main\",end=\"finished\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_connects_total{mode=\"round_robin\",cause=\"ok\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_connections_total{worker=\"worker-01\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_attempts_total{worker=\"worker-01\",cause=\"ok\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_sent_bytes_total{worker=\"worker-01\"}"], Is.EqualTo(1000), "once");
            Assert.That(values["torbalancer_worker_received_bytes_total{worker=\"worker-01\"}"], Is.EqualTo(1000));
            Assert.That(values["torbalancer_worker_connect_seconds_count{worker=\"worker-01\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_connect_seconds_bucket{worker=\"worker-01\",le=\"+Inf\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_first_byte_seconds_count{worker=\"worker-01\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_state{worker=\"worker-01\",state=\"healthy\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_eligible{worker=\"worker-01\"}"], Is.EqualTo(1));
        });
    }

    [Test]
    public async Task Failures_retries_and_who_is_turned_away(CancellationToken token)
    {
        await using var first = new FakeTorWorker { FaultOf = static _ => GreetingFault.Close };
        await using var second = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(
            [first.EndPoint, second.EndPoint], static options =>
            {
                options.Balancing.Mode = "failover";
                options.Health.Enabled = false;
                options.Connect.PreConnect = 0;
                options.Listeners[0].MaxConnections = 1;
            });
        await using (await OpenAsync(admin.Proxy, token))
        {
            await using var turnedAway = await admin.Proxy.ConnectAsync();
            Assert.That((await SocksClient.RequestAsync(turnedAway, "a.example", 80, token))[1], Is.EqualTo(2));
        }

        await admin.Proxy.Log.WaitForAsync("access", 2, token);
        var values = Values((await GetAsync(admin, null, token)).Text);
        Assert.Multiple(() =>
        {
            Assert.That(values["torbalancer_retries_total"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_attempts_total{worker=\"worker-01\",cause=\"worker_closed\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_failures_total{worker=\"worker-01\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_worker_attempts_total{worker=\"worker-02\",cause=\"ok\"}"], Is.EqualTo(1));
            Assert.That(values["torbalancer_connects_total{mode=\"failover\",cause=\"ok\"}"], Is.EqualTo(1), "over both attempts");
            Assert.That(values["torbalancer_listener_refused_total{listener=\"main\",reason=\"full\"}"], Is.EqualTo(1));
        });
    }

    [Test]
    public async Task HEAD_is_answered_without_a_body_and_pages_of_elsewhere_are_turned_away(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        using var head = new HttpRequestMessage(HttpMethod.Head, admin.Base + "/metrics");
        using var foreign = new HttpRequestMessage(HttpMethod.Get, admin.Base + "/metrics");
        foreign.Headers.Add("Sec-Fetch-Site", "cross-site");

        using var answer = await admin.Client.SendAsync(head, token);
        using var refusal = await admin.Client.SendAsync(foreign, token);

        Assert.That((answer.StatusCode, await answer.Content.ReadAsStringAsync(token)), Is.EqualTo((HttpStatusCode.OK, "")));
        Assert.That(refusal.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
    }

    /// <summary>The values by the text before them.</summary>
    internal static Dictionary<string, double> Values(string text) => text.Split('\n')
        .Where(static line => line.Length > 0 && line[0] != '#')
        .ToDictionary(
            static line => line[..line.LastIndexOf(' ')],
            static line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));

    private static async Task<(string? Type, string Text)> GetAsync(AdminUnderTest admin, string? accept, CancellationToken token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, admin.Base + "/metrics");
        if (accept is not null)
            request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await admin.Client.SendAsync(request, token);
        string text = await response.Content.ReadAsStringAsync(token);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), text);
        return (response.Content.Headers.ContentType?.ToString(), text);
    }

    private static async Task EchoAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        await using var client = await OpenAsync(proxy, token);
        await client.WriteAsync("hello"u8.ToArray(), token);
        await SocksClient.ReadAsync(client, 5, token);
    }

    private static async Task<NetworkStream> OpenAsync(ProxyUnderTest proxy, CancellationToken token)
    {
        var client = await proxy.ConnectAsync();
        byte[] reply = await SocksClient.RequestAsync(client, "a.example", 80, token);
        Assert.That(reply[1], Is.Zero);
        return client;
    }
}
