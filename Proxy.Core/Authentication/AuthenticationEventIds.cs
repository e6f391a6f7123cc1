namespace TorBalancer.Authentication;

/// <summary>Event ids 2300-2399: who clients say they are.</summary>
internal static class AuthenticationEventIds
{
    public const int HashFailed = 2300;
}
