namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>Clients that connect and say nothing.</summary>
internal sealed class SilentCrowd(BotTarget target, int size) : Crowd(target, size);
