using TorBalancer.Configuration.Options;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>Where streams are accounted for.</summary>
/// <param name="Outcomes">Is told how workers fare.</param>
/// <param name="FirstByteTimeout">[Route] FirstByteTimeout: silence of a link that is told as a failure; zero: none is.</param>
/// <param name="Time">The clock.</param>
internal sealed record StreamAccounting(IOutcomeSink Outcomes, Live<TimeSpan> FirstByteTimeout, TimeProvider Time)
{
    /// <summary>What connecting comes to.</summary>
    public ConnectCounters Counters { get; } = new();
}
