namespace TorBalancer.Testnet;

/// <summary>Log ids of the test network: 6000-6099.</summary>
internal static class TestnetEventIds
{
    public const int Progress = 6000;
    public const int Ready = 6001;
    public const int Stopped = 6002;
    public const int NodeEnded = 6010;
    public const int NodeKilled = 6011;
    public const int NodeRestarted = 6012;
}
