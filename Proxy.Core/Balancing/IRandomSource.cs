namespace TorBalancer.Balancing;

/// <summary>Where chance comes from; tests script it.</summary>
internal interface IRandomSource
{
    /// <summary>Uniform in [0, exclusiveMax); exclusiveMax at least 1.</summary>
    int Next(int exclusiveMax);
}

/// <summary>The process-wide generator: fast and thread-safe; balancing needs no secrecy.</summary>
internal sealed class SystemRandomSource : IRandomSource
{
    // The one place that may: BannedSymbols forbids Random.Shared elsewhere so that tests can script chance.
#pragma warning disable RS0030
    public int Next(int exclusiveMax) => Random.Shared.Next(exclusiveMax);
#pragma warning restore RS0030
}
