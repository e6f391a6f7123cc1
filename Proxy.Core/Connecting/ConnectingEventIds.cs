namespace TorBalancer.Connecting;

/// <summary>Event ids 3000-3099: connecting to workers.</summary>
internal static class ConnectingEventIds
{
    public const int OneMessageAtATime = 3000;
}
