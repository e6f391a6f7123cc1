namespace TorBalancer.TorControl.Relays;

/// <summary>Log event ids of relays and circuits (5200-5299). Never reused.</summary>
internal static class RelayEventIds
{
    public const int WatchConnected = 5200;
    public const int WatchLost = 5201;
    public const int WatchRefused = 5202;
    public const int Resynchronized = 5203;
    public const int FaultyTor = 5204;
    public const int FewExits = 5205;
    public const int NoGeoIP = 5206;
    public const int ExitsNotCounted = 5207;
    public const int ConfluxMovesSessions = 5208;
    public const int RelayListed = 5210;
    public const int RelayRefused = 5211;
    public const int RelayRemoved = 5212;
    public const int ListEmptied = 5213;
    public const int ExclusionApplied = 5214;
    public const int ExclusionFailed = 5215;
    public const int ExclusionRestored = 5216;
    public const int ExclusionRecovered = 5217;
    public const int ExclusionNotRemembered = 5218;
    public const int CircuitBroken = 5220;
    public const int RebuildFailed = 5221;
    public const int RebuildGivenUp = 5222;
    public const int PortOfNobody = 5223;
    public const int StreamNotEnded = 5224;
}
