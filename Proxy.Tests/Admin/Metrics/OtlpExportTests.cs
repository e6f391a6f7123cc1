using System.IO.Pipelines;
using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Metrics;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin.Metrics;

/// <summary>Metrics are pushed to a collector by OTLP over HTTP.</summary>
[CancelAfter(60_000)]
public class OtlpExportTests
{
    [Test]
    public async Task Collector_gets_every_metric_and_is_told_of_while_it_is_away(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        int port = FreePort.Find();
        await using var export = new OtlpExport(
            new Uri($"http://127.0.0.1:{port}/v1/metrics"), TimeSpan.FromSeconds(1), proxy.Get<MetricParts>(), TimeProvider.System,
            new Logger<OtlpExport>(proxy.Log));
        while (Told(proxy, HostingEventIds.MetricsNotSent) == 0)
            await Task.Delay(20, token);

        using var listener = new HttpListener();
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        await using (var client = await proxy.ConnectAsync())
        {
            await SocksClient.RequestAsync(client, "a.example", 80, token);
            await client.WriteAsync("hello"u8.ToArray(), token);
            await SocksClient.ReadAsync(client, 5, token);
        }

        await proxy.Log.WaitForAsync("access", 1, token);
        IReadOnlyDictionary<string, OtlpMetric> metrics;
        do
        {
            metrics = await ReceiveAsync(listener, token);
        }
        while (!metrics.ContainsKey("torbalancer.worker.first_byte"));

        // This worker has no control port, and nothing is limited, nobody a user.
        string[] empty = [.. TorMetrics.All().Concat(LimitMetrics.All()).Select(static family => family.Name)];
        foreach (var family in MetricFamilies.All.Where(family => !empty.Contains(family.Name)))
        {
            Assert.That(metrics, Does.ContainKey(family.Name));
            Assert.That((metrics[family.Name].Unit, metrics[family.Name].Kind), Is.EqualTo((family.Unit, family.Kind)), family.Name);
        }

        Assert.That(Told(proxy, HostingEventIds.MetricsNotSent), Is.EqualTo(1));
        while (Told(proxy, HostingEventIds.MetricsSent) == 0)
            await Task.Delay(20, token);
    }

    [Test]
    public async Task Values_are_those_of_the_text(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using (var client = await proxy.ConnectAsync())
        {
            await SocksClient.RequestAsync(client, "a.example", 80, token);
            await client.WriteAsync(new byte[1000], token);
            await SocksClient.ReadAsync(client, 1000, token);
        }

        await proxy.Log.WaitForAsync("access", 1, token);
        var reading = new MetricReading(proxy.Get<MetricParts>());
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await MetricText.WriteAsync(pipe.Writer, MetricText.FamiliesOf(reading), isOpenMetrics: false, token);
        await pipe.Writer.CompleteAsync();
        using var text = new StreamReader(pipe.Reader.AsStream());
        string[] wanted = [.. (await text.ReadToEndAsync(token)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(IsSteady)];

        var sent = OtlpRequest.Parse(OtlpMessage.Of(reading, [new("service.name", "it's täglich")], now).ToArray());

        Assert.That(sent.Resource, Is.EqualTo(new[] { ("service.name", "it's täglich") }));
        Assert.That(sent.Scope, Is.EqualTo(("TorBalancer", ProcessFigures.Version)));
        Assert.That(sent.AsPrometheus().Where(IsSteady), Is.EquivalentTo(wanted));
        foreach (var point in sent.Metrics.SelectMany(static metric => metric.Points))
            Assert.That(point.Time, Is.EqualTo(now));
        Assert.That(
            sent.Metrics.Where(static one => one.Kind != MetricKind.Gauge).SelectMany(static one => one.Points)
                .Select(static point => point.Start?.ToUnixTimeSeconds()),
            Is.All.EqualTo((long)ProcessFigures.StartTime));
    }

    [TestCase(null, null, "service.name=torbalancer")]
    [TestCase("", "", "service.name=torbalancer")]
    [TestCase("host.name=a, team=net%2Fops ,", null, "service.name=torbalancer host.name=a team=net/ops")]
    [TestCase("service.name=other", null, "service.name=other")]
    [TestCase("service.name=other,a=", "named", "service.name=named a=")]
    [TestCase("a=b=c", null, "service.name=torbalancer a=b=c")]
    [TestCase("a=1,nothing", null, "service.name=torbalancer", TestName = "A list with a part that is none is left out")]
    public void Environment_says_what_the_daemon_is(string? attributes, string? name, string expected)
    {
        var resource = OtlpResource.Attributes(variable => variable switch
        {
            "OTEL_RESOURCE_ATTRIBUTES" => attributes,
            "OTEL_SERVICE_NAME" => name,
            _ => null,
        });

        Assert.That(
            string.Join(' ', resource.Where(static one => one.Key != "service.version").Select(static one => $"{one.Key}={one.Value}")),
            Is.EqualTo(expected));
        Assert.That(resource.Single(static one => one.Key == "service.version").Value, Is.EqualTo(ProcessFigures.Version));
    }

    // What moves between two readings of one moment.
    private static bool IsSteady(string line) =>
        !line.StartsWith('#') && !line.Contains("_process_", StringComparison.Ordinal);

    private static int Told(ProxyUnderTest proxy, int id) => proxy.Log.Entries.Count(entry => entry.Event.Id == id);

    private static async Task<IReadOnlyDictionary<string, OtlpMetric>> ReceiveAsync(HttpListener listener, CancellationToken token)
    {
        var context = await listener.GetContextAsync().WaitAsync(token);
        Assert.That(
            (context.Request.HttpMethod, context.Request.RawUrl, context.Request.ContentType),
            Is.EqualTo(("POST", "/v1/metrics", "application/x-protobuf")));
        using var body = new MemoryStream();
        await context.Request.InputStream.CopyToAsync(body, token);
        context.Response.Close();
        return OtlpRequest.Parse(body.ToArray()).Metrics.ToDictionary(static metric => metric.Name);
    }
}
