namespace TorBalancer.Balancing;

/// <summary>The words for balancing modes in the file, the user name, the API and the metrics.</summary>
public static class SelectionPolicyNames
{
    public const string RoundRobin = "round_robin";
    public const string Sticky = "sticky";
    public const string Random = "random";
    public const string LeastConnections = "least_connections";
    public const string Failover = "failover";
    public const string PowerOfTwo = "power_of_two";
    public const string Fastest = "fastest";

    /// <summary>All of them, in the order of the documentation.</summary>
    public static IReadOnlyList<string> All { get; } = [RoundRobin, Sticky, Random, LeastConnections, Failover, PowerOfTwo, Fastest];
}
