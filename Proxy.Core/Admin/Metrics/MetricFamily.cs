namespace TorBalancer.Admin.Metrics;

/// <summary>What the values of a metric mean.</summary>
internal enum MetricKind : byte
{
    /// <summary>Only ever grows, from zero at the start of the daemon.</summary>
    Counter,

    /// <summary>As it is now.</summary>
    Gauge,

    /// <summary>Durations in buckets.</summary>
    Histogram,
}

/// <summary>
/// A name and a meaning, with a value for each combination of its labels that there is; whose values they are is said elsewhere.
/// </summary>
/// <param name="Name">As OpenTelemetry writes it, with dots and without unit.</param>
/// <param name="Kind">What its values mean.</param>
/// <param name="Unit">By the UCUM: s, By, 1 (a share of one), or what is counted in braces.</param>
/// <param name="Help">One sentence for people, without quotation marks and backslashes; it ends without a full stop.</param>
/// <param name="Labels">Their names. The values come from the configuration and from the tables of the code, never from clients.</param>
internal record MetricDescription(string Name, MetricKind Kind, string Unit, string Help, string[] Labels)
{
    /// <summary>What all names begin with.</summary>
    public const string Prefix = "torbalancer.";

    /// <summary>The unit as Prometheus and OpenMetrics spell it in names; empty: none.</summary>
    public string UnitWord { get; } = WordOf(Unit);

    /// <summary>
    /// The name in OpenMetrics, where a counter's does not say what it is. It is the one that Prometheus gives to what it is sent by
    /// OpenTelemetry's protocol: dashboards do not care which way values came.
    /// </summary>
    public string FamilyName { get; } = Name.Replace('.', '_') + (WordOf(Unit) is { Length: > 0 } word ? "_" + word : "");

    /// <summary>The name of its values; those of a histogram have more behind it.</summary>
    public string SampleName => Kind == MetricKind.Counter ? FamilyName + "_total" : FamilyName;

    private static string WordOf(string unit) => unit switch { "s" => "seconds", "By" => "bytes", "1" => "ratio", _ => "" };
}

/// <summary>One metric of the proxy.</summary>
/// <param name="Read">Hands over its values as they are.</param>
/// <inheritdoc cref="MetricDescription" />
internal sealed record MetricFamily(
    string Name, MetricKind Kind, string Unit, string Help, string[] Labels, Action<MetricReading, IMetricSink> Read)
    : MetricDescription(Name, Kind, Unit, Help, Labels)
{
    public static MetricFamily Counter(
        string name, string unit, string help, string[] labels, Action<MetricReading, IMetricSink> read) =>
        new(Prefix + name, MetricKind.Counter, unit, help, labels, read);

    public static MetricFamily Gauge(
        string name, string unit, string help, string[] labels, Action<MetricReading, IMetricSink> read) =>
        new(Prefix + name, MetricKind.Gauge, unit, help, labels, read);

    public static MetricFamily Histogram(
        string name, string unit, string help, string[] labels, Action<MetricReading, IMetricSink> read) =>
        new(Prefix + name, MetricKind.Histogram, unit, help, labels, read);

    /// <summary>Yes and no as a value.</summary>
    public static double Flag(bool value) => value ? 1 : 0;
}
