namespace TorBalancer.Health;

/// <summary>Event ids 4000-4099: health. Never reused.</summary>
internal static class HealthEventIds
{
    public const int WorkerRecovered = 4000;
    public const int WorkerChanged = 4001;
    public const int ProbeFailed = 4002;
    public const int ReconnectDone = 4003;
    public const int ReconnectFailed = 4004;
    public const int DemotionFrozen = 4005;
    public const int DemotionThawed = 4006;
    public const int ProberStarted = 4007;
    public const int ProbeBroke = 4008;
    public const int TunnelsEnded = 4009;
    public const int ProbeNotMade = 4010;
}
