namespace TorBalancer.Admin.Reload;

/// <summary>Event ids 7030-7049: reloads, users whose file has changed, and workers that come and go.</summary>
internal static class ReloadEventIds
{
    public const int Reloaded = 7030;
    public const int KeyChanged = 7031;
    public const int RestartNeeded = 7032;
    public const int ReloadFailed = 7033;
    public const int ReloadError = 7034;
    public const int ReloadWarning = 7035;
    public const int WorkerLeaves = 7036;
    public const int WorkerGone = 7037;
    public const int WorkerSaved = 7038;
    public const int UsersRead = 7039;
    public const int UsersNotRead = 7040;
    public const int WorkerAdded = 7041;
}
