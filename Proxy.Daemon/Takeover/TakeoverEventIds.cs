namespace TorBalancer.Daemon.Takeover;

/// <summary>Event ids 1050-1069: a new process takes over from a running one.</summary>
internal static class TakeoverEventIds
{
    public const int Begins = 1050;
    public const int Refused = 1051;
    public const int Failed = 1052;
    public const int HandedOver = 1053;
    public const int NotHeard = 1054;
    public const int SuccessorStarted = 1055;
    public const int SuccessorNotStarted = 1056;
    public const int SuccessorFailed = 1057;
}
