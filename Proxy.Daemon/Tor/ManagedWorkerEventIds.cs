namespace TorBalancer.Daemon.Tor;

/// <summary>Log event ids of the managed workers (5100-5199). Never reused.</summary>
internal static class ManagedWorkerEventIds
{
    public const int Starting = 5100;
    public const int Progress = 5101;
    public const int Ready = 5102;
    public const int BootstrapProblem = 5103;
    public const int Ended = 5104;
    public const int RestartIn = 5105;
    public const int TorSays = 5107;
    public const int TorWarns = 5108;
    public const int WaitingForDirectory = 5109;
    public const int Stopped = 5110;
    public const int CacheCopied = 5111;
    public const int TorErrs = 5112;
    public const int TakenOver = 5113;
    public const int Left = 5114;
    public const int NotLeft = 5115;
}
