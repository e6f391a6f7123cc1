namespace TorBalancer.Protocols;

/// <summary>What is known of a failed request beside its cause.</summary>
/// <param name="WorkerId">The worker tried last, or null.</param>
/// <param name="Attempts">How many workers were tried.</param>
internal readonly record struct ReplyInfo(string? WorkerId = null, int Attempts = 0);
