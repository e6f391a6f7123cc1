namespace TorBalancer.Daemon.Hosting;

/// <summary>Event ids 1000-1099: start and stop.</summary>
internal static class HostingEventIds
{
    public const int Ready = 1001;
    public const int Stopping = 1002;
    public const int Stopped = 1003;
    public const int ConfigurationWarning = 1004;
    public const int StartHint = 1013;
    public const int LinkMissing = 1014;
    public const int Descriptors = 1015;
    public const int LogsReopened = 1016;
    public const int LogsNotReopened = 1017;
    public const int NoLogFile = 1018;
    public const int KeyNotKept = 1019;
    public const int MetricsNotSent = 1020;
    public const int MetricsSent = 1021;
    public const int ReadinessListening = 1022;
    public const int ReadinessNotReopened = 1023;
    public const int LameDuck = 1024;
    public const int LameDuckHurried = 1025;
    public const int Stuck = 1026;
    public const int DiscoveryChanged = 1028;
    public const int DiscoveryKept = 1029;
    public const int PublisherService = 1030;
    public const int PublisherStatus = 1031;
    public const int PublisherNoStatus = 1032;
    public const int PublisherRefused = 1033;
    public const int PublisherFailed = 1034;
    public const int UsersNotRead = 1035;
    public const int DiscoveryAnswers = 1036;
    public const int ReadyTransparent = 1037;
}
