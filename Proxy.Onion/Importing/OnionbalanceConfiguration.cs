using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Importing;

/// <summary>What an Onionbalance configuration (config.yaml, for v3 services) says.</summary>
/// <param name="StatusSocket">The path of its status socket; null without.</param>
internal sealed record OnionbalanceConfiguration(string? StatusSocket, IReadOnlyList<OnionbalanceService> Services);

/// <summary>One address and its backends.</summary>
/// <param name="Key">The path of its key file, absolute.</param>
/// <param name="Line">Where it is in the file.</param>
internal sealed record OnionbalanceService(string Key, IReadOnlyList<OnionbalanceInstance> Instances, int Line);

/// <param name="Name">As it is written, which Onionbalance itself does not use; null without.</param>
internal sealed record OnionbalanceInstance(string? Name, OnionServiceAddress Address);

/// <summary>Something that is wrong with a configuration, or that has no counterpart here.</summary>
/// <param name="Line">Of the file, from 1.</param>
internal sealed record ImportProblem(int Line, string Message);
