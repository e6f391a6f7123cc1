namespace TorBalancer.Admin;

/// <summary>Event ids 7000-7099: the admin API.</summary>
internal static class AdminEventIds
{
    public const int Listening = 7000;
    public const int SocketSkipped = 7001;
    public const int RequestFailed = 7002;
    public const int AddressSkipped = 7003;
    public const int ClientLeft = 7004;
    public const int WorkerDraining = 7010;
    public const int WorkerEnabled = 7011;
    public const int SessionRotated = 7012;
    public const int ConnectionClosed = 7013;
    public const int EventReaderDropped = 7014;
    public const int NotEncrypted = 7015;
    public const int Fetched = 7020;
}
