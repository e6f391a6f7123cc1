using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Admin.Metrics;

/// <summary>
/// Writes metrics as text: Prometheus' exposition format 0.0.4, or OpenMetrics 1.0.0.
/// <code>
/// # HELP torbalancer_worker_sent_bytes_total Bytes from clients to targets      0.0.4: the name of the values
/// # TYPE torbalancer_worker_sent_bytes_total counter
/// torbalancer_worker_sent_bytes_total{worker="worker-01"} 1234
///
/// # TYPE torbalancer_worker_sent_bytes counter                                  OpenMetrics: the name of the family
/// # UNIT torbalancer_worker_sent_bytes bytes
/// # HELP torbalancer_worker_sent_bytes Bytes from clients to targets
/// torbalancer_worker_sent_bytes_total{worker="worker-01"} 1234
/// # EOF                                                                         OpenMetrics: nothing was cut off
/// </code>
/// </summary>
internal sealed class MetricText : IMetricSink
{
    public const string PrometheusType = "text/plain; version=0.0.4; charset=utf-8";

    public const string OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// <summary>
    /// Bounds as OpenMetrics spells them ("1.0", its section on canonical numbers), in both formats: they are labels, and the same
    /// bucket must not be another series when a scraper changes its mind.
    /// </summary>
    private static readonly string[] Bounds =
    [
        .. DurationHistogram.Bounds.Select(
            static bound => bound == Math.Floor(bound) ? bound.ToString("0.0", CultureInfo.InvariantCulture)
                : bound.ToString(CultureInfo.InvariantCulture)),
        "+Inf",
    ];

    private readonly IBufferWriter<byte> _to;
    private readonly bool _isOpenMetrics;
    private MetricDescription _family = MetricFamilies.All[0];

    private MetricText(IBufferWriter<byte> to, bool isOpenMetrics) => (_to, _isOpenMetrics) = (to, isOpenMetrics);

    /// <summary>All of the proxy's.</summary>
    public static IEnumerable<(MetricDescription Family, Action<IMetricSink> Read)> FamiliesOf(MetricReading reading) =>
        MetricFamilies.All.Select(family => ((MetricDescription)family, (Action<IMetricSink>)(sink => family.Read(reading, sink))));

    /// <summary>Writes all of them, and waits after each for a reader that is slow: little of it is ever in memory.</summary>
    /// <param name="families">Each with who hands over its values.</param>
    public static async Task WriteAsync(
        PipeWriter to, IEnumerable<(MetricDescription Family, Action<IMetricSink> Read)> families, bool isOpenMetrics,
        CancellationToken cancellationToken)
    {
        var text = new MetricText(to, isOpenMetrics);
        foreach (var (family, read) in families)
        {
            text.Write(family, read);
            await to.FlushAsync(cancellationToken);
        }

        if (isOpenMetrics)
            text.Put("# EOF\n");
        await to.FlushAsync(cancellationToken);
    }

    public void Add(double value, params ReadOnlySpan<string> labels)
    {
        Begin(_family.SampleName, "", labels);
        End(value);
    }

    public void Add(DurationHistogram histogram, params ReadOnlySpan<string> labels)
    {
        Span<long> counts = stackalloc long[Bounds.Length];
        histogram.CopyTo(counts);
        double sum = histogram.Sum;
        long count = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            count += counts[i];
            Begin(_family.SampleName, "_bucket", labels, Bounds[i]);
            End(count);
        }

        Begin(_family.SampleName, "_sum", labels);
        End(sum);
        Begin(_family.SampleName, "_count", labels);
        End(count);
    }

    private void Write(MetricDescription family, Action<IMetricSink> read)
    {
        _family = family;
        string name = _isOpenMetrics ? family.FamilyName : family.SampleName;
        string kind = family.Kind switch { MetricKind.Counter => "counter", MetricKind.Gauge => "gauge", _ => "histogram" };
        Put($"# HELP {name} {family.Help}\n# TYPE {name} {kind}\n");
        if (_isOpenMetrics && family.UnitWord.Length > 0)
            Put($"# UNIT {name} {family.UnitWord}\n");
        read(this);
    }

    private void Begin(string name, string suffix, ReadOnlySpan<string> labels, string? bound = null)
    {
        Put(name);
        Put(suffix);
        if (labels.Length == 0 && bound is null)
            return;
        Put("{");
        for (int i = 0; i < labels.Length; i++)
        {
            if (i > 0)
                Put(",");
            PutLabel(_family.Labels[i], labels[i]);
        }

        if (bound is not null)
        {
            if (labels.Length > 0)
                Put(",");
            PutLabel("le", bound);
        }

        Put("}");
    }

    private void PutLabel(string name, string value)
    {
        Put(name);
        Put("=\"");
        Put(
            value.AsSpan().IndexOfAny('\\', '"', '\n') < 0
                ? value
                : value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
                    .Replace("\n", "\\n", StringComparison.Ordinal));
        Put("\"");
    }

    private void End(double value)
    {
        const int longest = 32;
        var room = _to.GetSpan(longest);
        room[0] = (byte)' ';
        value.TryFormat(room[1..], out int length, provider: CultureInfo.InvariantCulture);
        room[length + 1] = (byte)'\n';
        _to.Advance(length + 2);
    }

    private void Put(string text)
    {
        var room = _to.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        _to.Advance(Encoding.UTF8.GetBytes(text, room));
    }
}
