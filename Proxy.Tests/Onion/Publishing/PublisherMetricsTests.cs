using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Admin.Events;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Publishing;
using TorBalancer.Onion.Network;
using TorBalancer.Onion.Publishing;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Onion.Publishing;

/// <summary>What the publisher tells monitors. UPDATE_DOCS=1 writes the table in docs/onion-services.md anew.</summary>
public class PublisherMetricsTests
{
    [Test]
    public void Docs_tables_show_every_metric_and_event_of_the_publisher()
    {
        var table = new StringBuilder("| Metric | Kind | Labels | What it is |\n|---|---|---|---|\n");
        foreach (var family in PublisherMetrics.All)
        {
            string labels = string.Join(", ", family.Labels.Select(static label => $"`{label}`"));
            table.Append(
                CultureInfo.InvariantCulture,
                $"| `{family.SampleName}` | {family.Kind.ToString().ToLowerInvariant()} | {labels} | {family.Help} |\n");
        }

        GeneratedTable.Check("docs/onion-services.md", "publisher-metrics", table.ToString());
        Assert.That(PublisherEventKinds.All, Is.All.Matches<string>(
            static word => Repository.Text("docs/onion-services.md").Contains($"`{word}`", StringComparison.Ordinal)));
    }

    [Test]
    public void Names_are_none_of_the_proxys_and_follow_the_conventions() => Assert.Multiple(static () =>
    {
        Assert.That(PublisherMetrics.All.Select(static one => one.FamilyName), Is.Unique);
        foreach (var family in PublisherMetrics.All)
        {
            Assert.That(family.SampleName, Does.Match("^torbalancer_publisher(_[a-z]+)+$"));
            Assert.That(family.SampleName.EndsWith("_total", StringComparison.Ordinal), Is.EqualTo(family.Kind == MetricKind.Counter));
            Assert.That(family.Labels, Is.All.Match("^[a-z_]+$").And.All.Not.AnyOf("le", "job", "instance"));
            Assert.That(family.Help, Does.Not.Match(@"[""\\\n]|\.$"), "no format has to escape it");
        }
    });

    [Test, CancelAfter(20_000)]
    public async Task Values_are_those_of_the_state(CancellationToken token)
    {
        var harness = new PublisherHarness(3);
        string? refuses = null;
        harness.Directory = upload => upload.To.Fingerprint == (refuses ??= upload.To.Fingerprint) ? "UPLOAD_REJECTED" : "UPLOADED";
        harness.State.Drain(harness.Service.Instances[1], isDrained: true, harness.Now);
        harness.Start();

        string text = await TextAsync(harness, token);

        Assert.Multiple(() =>
        {
            string[] expected =
            [
                "torbalancer_publisher_tor_connected 1", "torbalancer_publisher_able 1", "torbalancer_publisher_directories 24",
                $"torbalancer_publisher_fetches_total{{outcome=\"received\"}} {harness.Counters.FetchesReceived}",
                $"torbalancer_publisher_uploads_total{{outcome=\"done\"}} {harness.Counters.UploadsDone}",
                $"torbalancer_publisher_uploads_total{{outcome=\"failed\"}} {harness.Counters.UploadsFailed}",
                "torbalancer_publisher_service_published{service=\"shop\"} 0",
                "torbalancer_publisher_descriptor_instances{service=\"shop\",descriptor=\"first\"} 2",
                "torbalancer_publisher_instance_state{service=\"shop\",instance_name=\"n0\",state=\"live\"} 1",
                "torbalancer_publisher_instance_state{service=\"shop\",instance_name=\"n0\",state=\"down\"} 0",
                "torbalancer_publisher_instance_drained{service=\"shop\",instance_name=\"n0\"} 0",
                "torbalancer_publisher_instance_drained{service=\"shop\",instance_name=\"n1\"} 1",
                "torbalancer_publisher_instance_introduction_points{service=\"shop\",instance_name=\"n2\"} 3",
            ];
            string[] lines = text.Split('\n');
            foreach (string line in expected)
                Assert.That(lines, Does.Contain(line));
            Assert.That(harness.Counters.UploadsFailed, Is.Positive, "one directory refuses");
            foreach (var order in Enum.GetValues<DescriptorOrder>())
            {
                int has = harness.Service.Version(order)!.Uploads.Count(static one => one.State == UploadState.Uploaded);
                string word = order == DescriptorOrder.First ? "first" : "second";
                string labels = $"service=\"shop\",descriptor=\"{word}\",state=\"uploaded\"";
                Assert.That(lines, Does.Contain($"torbalancer_publisher_descriptor_directories{{{labels}}} {has}"));
            }

            foreach (var family in PublisherMetrics.All)
                Assert.That(lines, Has.Some.StartsWith(family.SampleName).And.Not.StartsWith("#"), family.SampleName);
        });

        harness.State.Disconnected("it went away", harness.Now);
        Assert.That(
            (await TextAsync(harness, token, tor: null)).Split('\n'),
            Does.Contain("torbalancer_publisher_tor_connected 0").And.Contains("torbalancer_publisher_able 0"));
    }

    [Test]
    public void Events_are_lines_of_the_log_with_their_values()
    {
        using var log = new ListLogger();
        var hub = new EventHub(TimeProvider.System);
        log.AddProvider(new EventLoggerProvider(hub, PublisherEventKinds.Of));
        var harness = new PublisherHarness(2);
        var state = new PublisherState(
            [harness.Service], harness.Counters, log.CreateLogger(typeof(PublisherState).FullName!));

        state.Drain(harness.Service.Instances[0], isDrained: true, harness.Now);
        state.ConsensusRead(null, "there is none", harness.Now);

        var events = hub.Read(0, 10, out _);
        Assert.That(
            events.Select(static one => (one.Kind, one.Level, one.Message)),
            Is.EqualTo(new[]
            {
                ("instance_drain", "info", "Instance shop/n0: drained by command"),
                ("consensus", "warning", "Nothing is published: there is none"),
            }));
        Assert.That(events[0].Values, Does.Contain(new KeyValuePair<string, object?>("instance", "shop/n0")));
    }

    private static async Task<string> TextAsync(PublisherHarness harness, CancellationToken token, string? tor = "0.4.9.14")
    {
        var drains = new DrainMemory("/nowhere/drained", NullLogger.Instance);
        var view = PublisherView.Of(harness.State, harness.Counters, drains, tor, harness.Now);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await MetricText.WriteAsync(
            pipe.Writer, PublisherMetrics.All.Select(one => ((MetricDescription)one, (Action<IMetricSink>)(sink => one.Read(view, sink)))),
            isOpenMetrics: false, token);
        await pipe.Writer.CompleteAsync();
        using var reader = new StreamReader(pipe.Reader.AsStream());
        return await reader.ReadToEndAsync(token);
    }
}
