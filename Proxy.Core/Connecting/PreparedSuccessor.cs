namespace TorBalancer.Connecting;

/// <summary>What is kept ready for the epoch that follows.</summary>
/// <param name="Epoch">The one that is about to end.</param>
internal sealed record PreparedSuccessor(long Epoch, IDisposable Kept);
