using System.Globalization;

namespace TorBalancer.Testnet;

/// <summary>One step of a start.</summary>
/// <param name="Elapsed">Since the start began.</param>
/// <param name="Text">What has been reached.</param>
internal readonly record struct TestNetworkProgress(TimeSpan Elapsed, string Text)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Elapsed.TotalSeconds,5:F1} s  {Text}");
}
