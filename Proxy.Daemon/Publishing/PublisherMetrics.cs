using TorBalancer.Admin.Metrics;
using TorBalancer.Onion.Publishing;

namespace TorBalancer.Daemon.Publishing;

/// <summary>One metric of the publisher.</summary>
/// <param name="Read">Hands over its values.</param>
/// <inheritdoc cref="MetricDescription" />
internal sealed record PublisherMetric(
    string Name, MetricKind Kind, string Unit, string Help, string[] Labels, Action<PublisherView, IMetricSink> Read)
    : MetricDescription(Name, Kind, Unit, Help, Labels);

/// <summary>Every metric of the publisher. Names and labels are contract; docs/onion-services.md has their table.</summary>
internal static class PublisherMetrics
{
    // Prometheus has a label "instance" of its own.
    private static readonly string[] OfService = ["service"], OfInstance = ["service", "instance_name"];

    private static readonly string[] UploadStates = Words<UploadState>(), HealthStates = Words<InstanceHealth>();

    public static IReadOnlyList<PublisherMetric> All { get; } =
    [
        Gauge("tor_connected", "", "1 while there is a connection to the publisher's tor", [],
            static (view, sink) => sink.Add(MetricFamily.Flag(view.Tor is not null))),
        Gauge("able", "", "1 while nothing keeps all services from being published: no tor, a stale consensus, a wrong clock", [],
            static (view, sink) => sink.Add(MetricFamily.Flag(view.Problem is null))),
        Gauge("directories", "{directory}", "Directories that keep descriptors, by the consensus", [],
            static (view, sink) => sink.Add(view.Consensus?.Directories ?? 0)),
        Counter("fetches", "{fetch}", "Fetches of instances' descriptors, by what came of them", ["outcome"], static (view, sink) =>
        {
            sink.Add(view.Counters.FetchesReceived, "received");
            sink.Add(view.Counters.DescriptorsRefused, "refused");
            sink.Add(view.Counters.FetchesFailed, "failed");
        }),
        Counter("checks", "{check}", "Checks of instances that were begun", [],
            static (view, sink) => sink.Add(view.Counters.Checks)),
        Counter("failed_checks", "{check}", "Checks of instances that failed", [],
            static (view, sink) => sink.Add(view.Counters.ChecksFailed)),
        Counter("descriptors", "{descriptor}", "Versions of descriptors that were made", [],
            static (view, sink) => sink.Add(view.Counters.VersionsBuilt)),
        Counter("uploads", "{upload}", "Uploads to directories, by what came of them", ["outcome"], static (view, sink) =>
        {
            sink.Add(view.Counters.UploadsDone, "done");
            sink.Add(view.Counters.UploadsFailed, "failed");
        }),
        Gauge("service_published", "", "1 while both descriptors of the service are at all their directories", OfService,
            static (view, sink) => Each(view, service => sink.Add(MetricFamily.Flag(service.HasPublished()), service.Name))),
        Gauge("service_all_down", "", "1 while all instances of the service seem down, so that none is taken out", OfService,
            static (view, sink) => Each(view, service => sink.Add(MetricFamily.Flag(service.AllDown), service.Name))),
        Descriptor(
            "descriptor_instances", "{instance}", "Instances that have a place in the descriptor", static one => one.Instances.Count),
        Descriptor(
            "descriptor_made_time", "s", "When the descriptor was made, in Unix time",
            static one => one.Built.ToUnixTimeMilliseconds() / 1000.0),
        Gauge("descriptor_directories", "{directory}", "Directories of the descriptor, by what they have of it",
            ["service", "descriptor", "state"],
            static (view, sink) => EachDescriptor(view, (service, one) =>
            {
                foreach (string state in UploadStates)
                    sink.Add(one.Directories.Count(directory => directory.State == state), service.Name, one.Order, state);
            })),
        Gauge("instance_state", "", "1 for what is held of the instance, 0 for the others", [.. OfInstance, "state"],
            static (view, sink) => Each(view, service =>
            {
                foreach (var instance in service.Instances)
                {
                    foreach (string state in HealthStates)
                        sink.Add(MetricFamily.Flag(instance.Health == state), service.Name, instance.Name, state);
                }
            })),
        Instance("instance_drained", "", "1 while the operator has it drained", static one => MetricFamily.Flag(one.Drained)),
        Instance("instance_weight", "", "Its share relative to the others", static one => one.Weight),
        Instance(
            "instance_introduction_points", "{point}", "Introduction points in its last descriptor that could be used",
            static one => one.IntroductionPoints ?? 0),
        Instance(
            "instance_received_time", "s", "When its last descriptor that could be used was received, in Unix time; 0: there was none",
            static one => (one.Received?.ToUnixTimeMilliseconds() ?? 0) / 1000.0),
    ];

    private static PublisherMetric Gauge(
        string name, string unit, string help, string[] labels, Action<PublisherView, IMetricSink> read) =>
        new(MetricFamily.Prefix + "publisher." + name, MetricKind.Gauge, unit, help, labels, read);

    private static PublisherMetric Counter(
        string name, string unit, string help, string[] labels, Action<PublisherView, IMetricSink> read) =>
        new(MetricFamily.Prefix + "publisher." + name, MetricKind.Counter, unit, help, labels, read);

    private static PublisherMetric Descriptor(string name, string unit, string help, Func<DescriptorView, double> value) => Gauge(
        name, unit, help, ["service", "descriptor"],
        (view, sink) => EachDescriptor(view, (service, one) => sink.Add(value(one), service.Name, one.Order)));

    private static PublisherMetric Instance(string name, string unit, string help, Func<InstanceView, double> value) => Gauge(
        name, unit, help, OfInstance,
        (view, sink) => Each(view, service =>
        {
            foreach (var instance in service.Instances)
                sink.Add(value(instance), service.Name, instance.Name);
        }));

    private static void Each(PublisherView view, Action<ServiceView> show)
    {
        foreach (var service in view.Services)
            show(service);
    }

    private static void EachDescriptor(PublisherView view, Action<ServiceView, DescriptorView> show) => Each(view, service =>
    {
        foreach (var descriptor in service.Descriptors)
            show(service, descriptor);
    });

    // As the JSON writes them.
    private static string[] Words<T>()
        where T : struct, Enum => [.. Enum.GetNames<T>().Select(static name => name.ToLowerInvariant())];
}
