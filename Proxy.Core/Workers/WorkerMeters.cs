using System.Diagnostics.Metrics;
using TorBalancer.Primitives;

namespace TorBalancer.Workers;

/// <summary>
/// What is measured of a worker by each of its connections: nothing here waits, takes a lock or allocates. Everything is since the start.
/// </summary>
internal sealed class WorkerMeters
{
    /// <summary>The name under which a listener of System.Diagnostics.Metrics finds all that this program measures.</summary>
    public const string MeterName = "TorBalancer";

    /// <summary>The names of the two histograms, as instruments.</summary>
    public const string ConnectName = "torbalancer.worker.connect", FirstByteName = "torbalancer.worker.first_byte";

    // Instruments for histograms cannot be observed when they are asked for: each duration must be told, when somebody listens.
    private static readonly Meter Meter = new(MeterName);
    private static readonly Histogram<double> ConnectInstrument = Create(ConnectName);
    private static readonly Histogram<double> FirstByteInstrument = Create(FirstByteName);

    /// <summary>Attempts that ended, by their cause; those that nobody waited for any more are not among them.</summary>
    public CauseCounts Attempts { get; } = new();

    /// <summary>From the dial to the worker's answer that it reached the target.</summary>
    public DurationHistogram Connect { get; } = new();

    /// <summary>From the worker's answer to the first byte that came back by it.</summary>
    public DurationHistogram FirstByte { get; } = new();

    public void Connected(string workerId, TimeSpan elapsed) => Observe(Connect, ConnectInstrument, workerId, elapsed);

    public void FirstByteCame(string workerId, TimeSpan elapsed) => Observe(FirstByte, FirstByteInstrument, workerId, elapsed);

    private static void Observe(DurationHistogram histogram, Histogram<double> instrument, string workerId, TimeSpan elapsed)
    {
        histogram.Observe(elapsed);
        if (instrument.Enabled)
            instrument.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("worker", workerId));
    }

    private static Histogram<double> Create(string name) => Meter.CreateHistogram(
        name, "s", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationHistogram.Bounds });
}
