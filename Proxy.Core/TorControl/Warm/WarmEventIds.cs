namespace TorBalancer.TorControl.Warm;

/// <summary>Log event ids of warm circuits (5300-5399). Never reused.</summary>
internal static class WarmEventIds
{
    public const int Paused = 5300;
    public const int NotLaunched = 5301;
}
