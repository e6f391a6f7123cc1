using TorBalancer.Onion.Descriptors;

namespace TorBalancer.Onion.Publishing;

/// <summary>What a live instance brings: its introduction points, and the share of clients that it is to get.</summary>
/// <param name="Name">Unique within its service.</param>
/// <param name="Weight">At least 1; twice the weight, twice the clients.</param>
/// <param name="Points">At least one, none with a legacy key.</param>
internal sealed record InstancePoints(string Name, int Weight, IReadOnlyList<IntroductionPoint> Points);
