using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Daemon.Metrics;

/// <summary>
/// Sends all metrics to a collector at an interval, by OpenTelemetry's protocol over HTTP (OTLP/HTTP, protobuf), and once more at the end.
/// They are cumulative: what one message could not bring, the next one does. Neither a proxy of the environment, which may be ours, nor the
/// system's resolver has a part in it.
/// </summary>
internal sealed partial class OtlpExport : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly Uri _url;
    private readonly TimeSpan _interval;
    private readonly MetricParts _parts;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _resource = OtlpResource.Attributes(Environment.GetEnvironmentVariable);
    private readonly HttpMessageInvoker _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private bool _isFailing;

    /// <param name="url">Its host is an IP address or localhost.</param>
    /// <param name="interval">From one message to the next.</param>
    /// <param name="parts">Whose metrics are sent.</param>
    /// <param name="time">What intervals and limits are measured by.</param>
    /// <param name="logger">Hears when the collector takes no metrics, and when it does again.</param>
    public OtlpExport(Uri url, TimeSpan interval, MetricParts parts, TimeProvider time, ILogger logger)
    {
        (_url, _interval, _parts, _time, _logger) = (url, interval, parts, time, logger);
        _client = SocketStream.CreateClient(url);
        _running = Task.Run(() => RunAsync(_stop.Token));
    }

    /// <summary>Ends after at most 5 s, when the last values were sent or the collector did not take them.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await SendAsync();
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(_interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
                await SendAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The last message follows.
        }
    }

    private async Task SendAsync(CancellationToken cancellationToken = default)
    {
        using var limit = new CancellationTokenSource(Limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _url);
            request.Content = new ReadOnlyMemoryContent(OtlpMessage.Of(new MetricReading(_parts), _resource, _time.GetUtcNow()));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            using var response = await _client.SendAsync(request, either.Token);
            Tell(response.IsSuccessStatusCode ? null : $"it answered {(int)response.StatusCode}");
        }
        catch (HttpRequestException failure)
        {
            Tell(failure.Message);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            Tell("no answer in time");
        }
    }

    private void Tell(string? problem)
    {
        if (problem is not null && !_isFailing)
            Log.Failing(_logger, problem);
        else if (problem is null && _isFailing)
            Log.Working(_logger);
        _isFailing = problem is not null;
    }

    private static partial class Log
    {
        [LoggerMessage(
            HostingEventIds.MetricsNotSent, LogLevel.Warning, "Metrics cannot be sent to [Admin] Otlp: {Reason}. It is tried again")]
        public static partial void Failing(ILogger logger, string reason);

        [LoggerMessage(HostingEventIds.MetricsSent, LogLevel.Information, "Metrics are sent to [Admin] Otlp again")]
        public static partial void Working(ILogger logger);
    }
}
