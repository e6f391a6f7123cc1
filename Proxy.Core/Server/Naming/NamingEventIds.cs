namespace TorBalancer.Server.Naming;

/// <summary>Event ids 2400-2499: the name server.</summary>
internal static class NamingEventIds
{
    public const int Listening = 2400;
    public const int LookupFailed = 2401;
    public const int ReceiveFailed = 2402;
}
