using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using TorBalancer.Admin.Metrics;

namespace TorBalancer.Tests.Support;

/// <summary>One value of a metric.</summary>
internal sealed record OtlpPoint(
    DateTimeOffset? Start, DateTimeOffset Time, (string Key, string Value)[] Attributes, double Value, ulong Count, ulong[] Buckets,
    double[] Bounds);

internal sealed record OtlpMetric(string Name, string Unit, MetricKind Kind, OtlpPoint[] Points);

/// <summary>
/// What a collector gets: an ExportMetricsServiceRequest, read by the numbers of its fields (opentelemetry/proto/metrics/v1/metrics.proto,
/// common.proto, resource.proto).
/// </summary>
internal sealed record OtlpRequest((string Key, string Value)[] Resource, (string Name, string Version) Scope, OtlpMetric[] Metrics)
{
    public static OtlpRequest Parse(byte[] message)
    {
        var resourceMetrics = new Message(message).Only(1);
        var scopeMetrics = resourceMetrics.Only(2);
        var scope = scopeMetrics.Only(1);
        return new OtlpRequest(
            Attributes(resourceMetrics.Only(1), 1), (scope.Text(1), scope.Text(2)), [.. scopeMetrics.All(2).Select(ParseMetric)]);
    }

    /// <summary>The lines that Prometheus' text has of it.</summary>
    public IEnumerable<string> AsPrometheus() => Metrics.SelectMany(static metric =>
    {
        string name = MetricFamilies.All.Single(family => family.Name == metric.Name).SampleName;
        return metric.Points.SelectMany(point => Lines(name, point, metric.Kind == MetricKind.Histogram));
    });

    private static IEnumerable<string> Lines(string name, OtlpPoint point, bool isHistogram)
    {
        if (!isHistogram)
        {
            yield return Line(name, point.Attributes, point.Value);
            yield break;
        }

        ulong upTo = 0;
        for (int i = 0; i < point.Buckets.Length; i++)
        {
            upTo += point.Buckets[i];
            string bound = i == point.Bounds.Length ? "+Inf" : point.Bounds[i].ToString("0.0##", CultureInfo.InvariantCulture);
            yield return Line(name + "_bucket", [.. point.Attributes, ("le", bound)], upTo);
        }

        yield return Line(name + "_sum", point.Attributes, point.Value);
        yield return Line(name + "_count", point.Attributes, point.Count);
    }

    private static string Line(string name, (string Key, string Value)[] labels, double value)
    {
        string inside = string.Join(',', labels.Select(static label => $"{label.Key}=\"{label.Value}\""));
        return string.Create(CultureInfo.InvariantCulture, $"{name}{(inside.Length > 0 ? $"{{{inside}}}" : "")} {value}");
    }

    private static OtlpMetric ParseMetric(Message metric)
    {
        var (kind, field) = metric.Has(7) ? (MetricKind.Counter, 7) : metric.Has(9) ? (MetricKind.Histogram, 9) : (MetricKind.Gauge, 5);
        var data = metric.Only(field);
        if (kind != MetricKind.Gauge && data.Number(2) != 2)
            throw new FormatException("not cumulative");
        if (kind == MetricKind.Counter && data.Number(3) != 1)
            throw new FormatException("not monotonic");
        return new OtlpMetric(
            metric.Text(1), metric.Text(3), kind, [.. data.All(1).Select(point => ParsePoint(point, kind == MetricKind.Histogram))]);
    }

    private static OtlpPoint ParsePoint(Message point, bool isHistogram) => new(
        point.Has(2) ? TimeOf(point.Number(2)) : null, TimeOf(point.Number(3)), Attributes(point, isHistogram ? 9 : 7),
        BitConverter.UInt64BitsToDouble(point.Number(isHistogram ? 5 : 4)), isHistogram ? point.Number(4) : 0,
        isHistogram ? point.Packed(6) : [], isHistogram ? [.. point.Packed(7).Select(BitConverter.UInt64BitsToDouble)] : []);

    private static DateTimeOffset TimeOf(ulong nanoseconds) =>
        DateTimeOffset.UnixEpoch.AddTicks((long)nanoseconds / TimeSpan.NanosecondsPerTick);

    private static (string Key, string Value)[] Attributes(Message message, int field) =>
        [.. message.All(field).Select(static one => (one.Text(1), one.Only(2).Text(1)))];

    /// <summary>A message of protobuf (protobuf.dev/programming-guides/encoding): its fields in their order.</summary>
    private sealed class Message
    {
        private readonly List<(int Number, ulong Value, byte[] Inside)> _fields = [];

        public Message(byte[] bytes)
        {
            int at = 0;
            while (at < bytes.Length)
            {
                ulong tag = Varint(bytes, ref at);
                int number = (int)(tag >> 3);
                switch (tag & 7)
                {
                    case 0:
                        _fields.Add((number, Varint(bytes, ref at), []));
                        break;
                    case 1:
                        _fields.Add((number, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)), []));
                        at += sizeof(ulong);
                        break;
                    case 2:
                        int length = (int)Varint(bytes, ref at);
                        _fields.Add((number, 0, bytes[at..(at + length)]));
                        at += length;
                        break;
                    default:
                        throw new FormatException($"wire type {tag & 7}");
                }
            }
        }

        public bool Has(int number) => _fields.Exists(field => field.Number == number);

        public IEnumerable<Message> All(int number) =>
            _fields.Where(field => field.Number == number).Select(static field => new Message(field.Inside));

        public Message Only(int number) => All(number).Single();

        public ulong Number(int number) => _fields.Single(field => field.Number == number).Value;

        public string Text(int number) =>
            Encoding.UTF8.GetString(_fields.SingleOrDefault(field => field.Number == number).Inside ?? []);

        /// <summary>Numbers of eight bytes, one behind the other.</summary>
        public ulong[] Packed(int number)
        {
            if (!Has(number))
                return [];
            byte[] inside = _fields.Single(field => field.Number == number).Inside;
            return [.. Enumerable.Range(0, inside.Length / 8).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(inside.AsSpan(i * 8)))];
        }

        private static ulong Varint(byte[] bytes, ref int at)
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte next = bytes[at++];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                    return value;
            }
        }
    }
}
