namespace TorBalancer.Health.Alerts;

/// <summary>Who is told of events besides the log.</summary>
internal interface IAlertSink
{
    /// <summary>Never throws for what goes wrong on the way; that goes into the log.</summary>
    Task SendAsync(HealthEvent happened, CancellationToken cancellationToken);
}
