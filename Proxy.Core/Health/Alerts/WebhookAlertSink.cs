using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Health.Alerts;

/// <summary>
/// POSTs each event as JSON. The host is an IP address or localhost and is connected to as such: the client's own
/// connecting would ask the system's resolver.
/// </summary>
internal sealed partial class WebhookAlertSink : IAlertSink, IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly Uri _url;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HttpMessageInvoker _client;

    public WebhookAlertSink(string url, TimeProvider time, ILogger logger)
    {
        _url = new Uri(url);
        _time = time;
        _logger = logger;
        _client = SocketStream.CreateClient(_url);
    }

    public async Task SendAsync(HealthEvent happened, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(Limit, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _url);
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(happened, HealthEventJson.Default.HealthEvent));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _client.SendAsync(request, both.Token);
            if (!response.IsSuccessStatusCode)
                Log.WebhookFailed(_logger, $"it answered {(int)response.StatusCode}");
        }
        catch (HttpRequestException failure)
        {
            Log.WebhookFailed(_logger, failure.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Log.WebhookFailed(_logger, "no answer in time");
        }
    }

    public void Dispose() => _client.Dispose();

    private static partial class Log
    {
        [LoggerMessage(AlertEventIds.WebhookFailed, LogLevel.Warning, "The alert could not be sent to [Alerts] Webhook: {Reason}")]
        public static partial void WebhookFailed(ILogger logger, string reason);
    }
}
