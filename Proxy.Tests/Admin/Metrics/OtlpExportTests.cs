using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Metrics;
using TorBalancer.Tests.Support;
using TorBalancer.Workers;

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
        using var export = new OtlpExport(
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
        while (!metrics.ContainsKey(WorkerMeters.FirstByteName));

        // This worker has no control port.
        string[] ofTors = [.. TorMetrics.All().Select(static family => family.Name)];
        foreach (var family in MetricFamilies.All.Where(family => !ofTors.Contains(family.Name)))
        {
            Assert.That(metrics, Does.ContainKey(family.Name));
            Assert.That(metrics[family.Name], Is.EqualTo(new OtlpMetric(family.Unit, family.Kind)), family.Name);
        }

        Assert.That(Told(proxy, HostingEventIds.MetricsNotSent), Is.EqualTo(1));
        while (Told(proxy, HostingEventIds.MetricsSent) == 0)
            await Task.Delay(20, token);
    }

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

        // opentelemetry/proto/metrics/v1/metrics.proto: ResourceMetrics (1) > ScopeMetrics (2) > Metric (2).
        return Fields(body.ToArray(), 1).SelectMany(static one => Fields(one, 2)).SelectMany(static one => Fields(one, 2))
            .ToDictionary(static metric => Text(metric, 1), static metric => new OtlpMetric(Text(metric, 3), KindOf(metric)));
    }

    /// <summary>Its data is one of gauge (5), sum (7) and histogram (9).</summary>
    private static MetricKind KindOf(byte[] metric) => Fields(metric, 7).Any() ? MetricKind.Counter
        : Fields(metric, 9).Any() ? MetricKind.Histogram
        : Fields(metric, 5).Any() ? MetricKind.Gauge
        : throw new FormatException("a metric without data");

    private static string Text(byte[] message, int field) => Encoding.UTF8.GetString(Fields(message, field).FirstOrDefault() ?? []);

    /// <summary>The fields of that number whose wire type is LEN (protobuf.dev/programming-guides/encoding).</summary>
    private static IEnumerable<byte[]> Fields(byte[] message, int wanted)
    {
        int at = 0;
        while (at < message.Length)
        {
            ulong tag = Varint(message, ref at);
            switch (tag & 7)
            {
                case 0:
                    Varint(message, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 5:
                    at += 4;
                    break;
                default:
                    int length = (int)Varint(message, ref at);
                    if (tag >> 3 == (ulong)wanted)
                        yield return message[at..(at + length)];
                    at += length;
                    break;
            }
        }
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = message[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }

    private sealed record OtlpMetric(string Unit, MetricKind Kind);
}
