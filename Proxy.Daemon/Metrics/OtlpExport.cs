using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using TorBalancer.Admin.Metrics;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Metrics;

/// <summary>
/// Sends all metrics to a collector at an interval, by OpenTelemetry's protocol over HTTP, and once more at the end. What the protocol's
/// own environment variables say of the resource (OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME) is sent along.
/// </summary>
internal sealed class OtlpExport : IDisposable
{
    // Beyond so many combinations of labels a metric's further ones are counted as one; room for them is made at once.
    private const int UsualSeries = 2000, SeriesOfWorker = 64, MostSeries = 20_000;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly MetricInstruments _instruments;
    private readonly MeterProvider _provider;

    /// <param name="url">Its host is an IP address or localhost.</param>
    public OtlpExport(Uri url, TimeSpan interval, MetricParts parts, TimeProvider time, ILogger logger)
    {
        int series = Math.Clamp(parts.Pool.Snapshot.All.Count * SeriesOfWorker, UsualSeries, MostSeries);
        _instruments = new MetricInstruments(parts, time);
        _provider = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(
                ResourceBuilder.CreateEmpty().AddService("torbalancer", serviceVersion: ProcessFigures.Version).AddTelemetrySdk()
                    .AddEnvironmentVariableDetector())
            .AddMeter(WorkerMeters.MeterName)
            .AddView(_ => new MetricStreamConfiguration { CardinalityLimit = series })
            .AddOtlpExporter((exporter, reader) =>
            {
                exporter.Endpoint = url;
                exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
                exporter.TimeoutMilliseconds = (int)Limit.TotalMilliseconds;
                exporter.HttpClientFactory = () => CreateClient(url, logger);
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)interval.TotalMilliseconds;
                reader.PeriodicExportingMetricReaderOptions.ExportTimeoutMilliseconds = (int)Limit.TotalMilliseconds;
                reader.TemporalityPreference = MetricReaderTemporalityPreference.Cumulative;
            })
            .Build();
    }

    public void Dispose()
    {
        _provider.Dispose();
        _instruments.Dispose();
    }

    /// <summary>Neither a proxy of the environment, which may be ours, nor the system's resolver has a part in it.</summary>
    private static HttpClient CreateClient(Uri url, ILogger logger)
    {
        var address = IPAddress.TryParse(url.Host.Trim('[', ']'), out var literal) ? literal : IPAddress.Loopback;
        var endPoint = new IPEndPoint(address, url.Port);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,

            // Asked on the exporter's own thread, which waits: so does this.
            ConnectCallback = (_, _) => ValueTask.FromResult<Stream>(Connect(endPoint)),
        };
        return new HttpClient(new OtlpNotice(handler, logger)) { Timeout = Limit };
    }

    private static NetworkStream Connect(IPEndPoint endPoint)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.Connect(endPoint);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
