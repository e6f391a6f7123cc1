using TorBalancer.Processes;

namespace TorBalancer.Testnet.Supervision;

/// <summary>What <c>testnet status</c> shows: the state as written, and what of it is true now.</summary>
/// <param name="Running">A supervisor lives.</param>
/// <param name="NodesRunning">Nodes whose process exists.</param>
/// <param name="MemoryBytes">Resident memory of them together.</param>
internal sealed record TestnetStatus(
    string Directory, bool Running, int NodesRunning, long MemoryBytes, IReadOnlyList<string> NodesEnded, TestnetState? State)
{
    public static TestnetStatus Of(TestnetDirectory directory, TimeProvider time)
    {
        TestnetState? state = directory.ReadState();
        var nodes = directory.FindNodes().ToHashSet();
        return new TestnetStatus(
            directory.Path,
            directory.IsSupervised(time),
            nodes.Count,
            nodes.Sum(ProcessSignals.ResidentBytes),
            state?.Nodes.Where(n => !nodes.Contains(n.Pid)).Select(n => n.Name).ToArray() ?? [],
            state);
    }
}
