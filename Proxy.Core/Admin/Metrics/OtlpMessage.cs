using System.Buffers.Binary;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Admin.Metrics;

/// <summary>
/// All metrics as one ExportMetricsServiceRequest of OpenTelemetry's protocol, in protobuf
/// (opentelemetry/proto/collector/metrics/v1/metrics_service.proto, version 1). Sums are cumulative from the start of the process.
/// <code>
/// request: 1 ResourceMetrics
///   resource metrics: 1 Resource { 1 KeyValue }, 2 ScopeMetrics
///     scope metrics: 1 InstrumentationScope { 1 name, 2 version }, 2 Metric
///       metric: 1 name, 2 description, 3 unit, and one of 5 Gauge, 7 Sum, 9 Histogram
/// </code>
/// </summary>
internal sealed class OtlpMessage : IMetricSink
{
    private const string Scope = "TorBalancer";

    // AGGREGATION_TEMPORALITY_CUMULATIVE
    private const ulong Cumulative = 2;

    private readonly ProtobufWriter _to = new();
    private readonly ulong _start, _now;
    private MetricFamily _family = MetricFamilies.All[0];
    private int _points;

    private OtlpMessage(DateTimeOffset now)
    {
        _start = (ulong)(ProcessFigures.StartTime * 1e9);
        _now = (ulong)(now - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
    }

    /// <param name="reading">The values.</param>
    /// <param name="resource">What the daemon is, as attributes.</param>
    /// <param name="now">When they were read.</param>
    public static ReadOnlyMemory<byte> Of(
        MetricReading reading, IEnumerable<KeyValuePair<string, string>> resource, DateTimeOffset now)
    {
        var message = new OtlpMessage(now);
        message.Write(reading, resource);
        return message._to.Written;
    }

    /// <summary>NumberDataPoint: 2 start, 3 time (fixed64, ns since 1970), 4 value (double), 7 attributes.</summary>
    public void Add(double value, params ReadOnlySpan<string> labels)
    {
        int point = BeginPoint(7, labels);
        _to.Double(4, value);
        _to.End(point);
    }

    /// <summary>
    /// HistogramDataPoint: 2 start, 3 time, 4 count (fixed64), 5 sum (double), 6 counts of the buckets (packed fixed64), 7 their bounds
    /// (packed double), 9 attributes.
    /// </summary>
    public void Add(DurationHistogram histogram, params ReadOnlySpan<string> labels)
    {
        Span<long> counts = stackalloc long[DurationHistogram.Bounds.Count + 1];
        histogram.CopyTo(counts);
        double sum = histogram.Sum;
        ulong count = 0;
        foreach (long one in counts)
            count += (ulong)one;

        int point = BeginPoint(9, labels);
        _to.Fixed(4, count);
        _to.Double(5, sum);
        int packed = _to.Begin(6);
        foreach (long one in counts)
            _to.Packed((ulong)one);
        _to.End(packed);
        packed = _to.Begin(7);
        foreach (double bound in DurationHistogram.Bounds)
            _to.Packed(BitConverter.DoubleToUInt64Bits(bound));
        _to.End(packed);
        _to.End(point);
    }

    private void Write(MetricReading reading, IEnumerable<KeyValuePair<string, string>> resource)
    {
        int metrics = _to.Begin(1);
        int about = _to.Begin(1);
        foreach (var (key, value) in resource)
            WriteAttribute(1, key, value);
        _to.End(about);

        int scoped = _to.Begin(2);
        int scope = _to.Begin(1);
        _to.Text(1, Scope);
        _to.Text(2, ProcessFigures.Version);
        _to.End(scope);
        foreach (var family in MetricFamilies.All)
            Write(family, reading);
        _to.End(scoped);
        _to.End(metrics);
    }

    /// <summary>A metric without a value is left out, as the protocol wants it.</summary>
    private void Write(MetricFamily family, MetricReading reading)
    {
        (_family, _points) = (family, 0);
        int before = _to.Length;
        int metric = _to.Begin(2);
        _to.Text(1, family.Name);
        _to.Text(2, family.Help);
        _to.Text(3, family.Unit);
        int data = _to.Begin(family.Kind switch { MetricKind.Counter => 7, MetricKind.Histogram => 9, _ => 5 });
        family.Read(reading, this);
        if (_points == 0)
        {
            _to.Length = before;
            return;
        }

        if (family.Kind != MetricKind.Gauge)
            _to.Varint(2, Cumulative);
        if (family.Kind == MetricKind.Counter)
            _to.Varint(3, 1); // is_monotonic
        _to.End(data);
        _to.End(metric);
    }

    private int BeginPoint(int attributes, ReadOnlySpan<string> labels)
    {
        _points++;
        int point = _to.Begin(1);
        if (_family.Kind != MetricKind.Gauge)
            _to.Fixed(2, _start);
        _to.Fixed(3, _now);
        for (int i = 0; i < labels.Length; i++)
            WriteAttribute(attributes, _family.Labels[i], labels[i]);
        return point;
    }

    /// <summary>KeyValue: 1 key, 2 AnyValue { 1 string }.</summary>
    private void WriteAttribute(int field, string key, string value)
    {
        int attribute = _to.Begin(field);
        _to.Text(1, key);
        int any = _to.Begin(2);
        _to.Text(1, value, evenIfEmpty: true);
        _to.End(any);
        _to.End(attribute);
    }

    /// <summary>Messages as protobuf encodes them (protobuf.dev/programming-guides/encoding).</summary>
    private sealed class ProtobufWriter
    {
        private const int Varints = 0, Eight = 1, Lengths = 2;

        // The length of a message within another one is known at its end: it has room for 28 bits, of which leading ones may be 0.
        private const int LengthRoom = 4;

        private byte[] _bytes = new byte[16 * 1024];

        public int Length { get; set; }

        public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

        /// <summary>Begins what is inside of a field; its answer is for <see cref="End"/>.</summary>
        public int Begin(int field)
        {
            Tag(field, Lengths);
            Room(LengthRoom);
            Length += LengthRoom;
            return Length;
        }

        public void End(int begin)
        {
            int length = Length - begin;
            for (int i = 0; i < LengthRoom; i++)
                _bytes[begin - LengthRoom + i] = (byte)(((length >> (7 * i)) & 0x7F) | (i < LengthRoom - 1 ? 0x80 : 0));
        }

        /// <summary>An empty one is what is meant by none at all, except where one of several fields is there.</summary>
        public void Text(int field, string value, bool evenIfEmpty = false)
        {
            if (value.Length == 0 && !evenIfEmpty)
                return;
            int begin = Begin(field);
            Room(Encoding.UTF8.GetMaxByteCount(value.Length));
            Length += Encoding.UTF8.GetBytes(value, _bytes.AsSpan(Length));
            End(begin);
        }

        public void Varint(int field, ulong value)
        {
            Tag(field, Varints);
            Raw(value);
        }

        public void Fixed(int field, ulong value)
        {
            Tag(field, Eight);
            Packed(value);
        }

        public void Double(int field, double value) => Fixed(field, BitConverter.DoubleToUInt64Bits(value));

        public void Packed(ulong value)
        {
            Room(sizeof(ulong));
            BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(Length), value);
            Length += sizeof(ulong);
        }

        private void Tag(int field, int type) => Raw((ulong)((field << 3) | type));

        private void Raw(ulong value)
        {
            const int longest = 10;
            Room(longest);
            for (; value > 0x7F; value >>= 7)
                _bytes[Length++] = (byte)(value | 0x80);
            _bytes[Length++] = (byte)value;
        }

        private void Room(int more)
        {
            if (_bytes.Length - Length < more)
                Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + more));
        }
    }
}
