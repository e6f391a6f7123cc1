using Microsoft.Extensions.Logging;
using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon.Metrics;

/// <summary>Logs when a collector begins to take no metrics, and when it takes them again: the exporter itself says nothing.</summary>
internal sealed partial class OtlpNotice(HttpMessageHandler inner, ILogger logger) : DelegatingHandler(inner)
{
    private string? _problem;

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            var response = base.Send(request, cancellationToken);
            Observe(response);
            return response;
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException)
        {
            Observe(failure);
            throw;
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            var response = await base.SendAsync(request, cancellationToken);
            Observe(response);
            return response;
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException)
        {
            Observe(failure);
            throw;
        }
    }

    private void Observe(HttpResponseMessage response) =>
        Observe(response.IsSuccessStatusCode ? null : $"it answered {(int)response.StatusCode}");

    private void Observe(Exception failure) => Observe(failure is OperationCanceledException ? "no answer in time" : failure.Message);

    private void Observe(string? problem)
    {
        string? before = Interlocked.Exchange(ref _problem, problem);
        if (problem is not null && before is null)
            Log.Failing(logger, problem);
        else if (problem is null && before is not null)
            Log.Working(logger);
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
