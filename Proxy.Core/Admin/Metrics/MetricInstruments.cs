using System.Diagnostics.Metrics;
using TorBalancer.Primitives;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Metrics;

/// <summary>
/// The metrics as instruments of System.Diagnostics.Metrics, for whoever collects those: each is asked for its values when somebody
/// wants them, and costs nothing in between. Those of histograms are <see cref="WorkerMeters"/>'s.
/// </summary>
internal sealed class MetricInstruments : IDisposable
{
    /// <summary>A collection asks one instrument after the other; all of them see the same.</summary>
    private static readonly TimeSpan Collection = TimeSpan.FromMilliseconds(500);

    private readonly Meter _meter = new(WorkerMeters.MeterName, ProcessFigures.Version);
    private readonly MetricParts _parts;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private MetricReading? _reading;
    private long _readAt;

    public MetricInstruments(MetricParts parts, TimeProvider time)
    {
        (_parts, _time) = (parts, time);
        foreach (var family in MetricFamilies.All)
        {
            if (family.Kind == MetricKind.Counter)
                _meter.CreateObservableCounter(family.Name, () => Measure(family), family.Unit, family.Help);
            else if (family.Kind == MetricKind.Gauge)
                _meter.CreateObservableGauge(family.Name, () => Measure(family), family.Unit, family.Help);
        }
    }

    public void Dispose() => _meter.Dispose();

    private List<Measurement<double>> Measure(MetricFamily family)
    {
        var sink = new Sink(family);
        family.Read(Read(), sink);
        return sink.Values;
    }

    private MetricReading Read()
    {
        lock (_lock)
        {
            if (_reading is null || _time.GetElapsedTime(_readAt) > Collection)
                (_reading, _readAt) = (new MetricReading(_parts), _time.GetTimestamp());
            return _reading;
        }
    }

    private sealed class Sink(MetricFamily family) : IMetricSink
    {
        public List<Measurement<double>> Values { get; } = [];

        public void Add(double value, params ReadOnlySpan<string> labels)
        {
            var tags = new KeyValuePair<string, object?>[labels.Length];
            for (int i = 0; i < tags.Length; i++)
                tags[i] = new KeyValuePair<string, object?>(family.Labels[i], labels[i]);
            Values.Add(new Measurement<double>(value, tags));
        }

        public void Add(DurationHistogram histogram, params ReadOnlySpan<string> labels) =>
            throw new NotSupportedException("there are no observable histograms");
    }
}
