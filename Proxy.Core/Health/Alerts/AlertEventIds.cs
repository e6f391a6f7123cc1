namespace TorBalancer.Health.Alerts;

/// <summary>Event ids 4100-4149: alerts. Never reused.</summary>
internal static class AlertEventIds
{
    public const int Alert = 4100;
    public const int WebhookFailed = 4101;
    public const int CommandFailed = 4102;
}
