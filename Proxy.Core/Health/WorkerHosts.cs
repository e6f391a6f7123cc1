using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Health;

/// <summary>The machine that a worker runs on, as far as a probe has to do with it.</summary>
/// <param name="Ssh">Its SSH port, which says whether it is up; null: that step is skipped.</param>
/// <param name="ReconnectCommand">Run in recovery to bring it, or the link to it, back; empty: nothing.</param>
internal sealed record WorkerHost(IPEndPoint? Ssh, string ReconnectCommand)
{
    public static WorkerHost Unknown { get; } = new(null, "");

    public static WorkerHost From(WorkerOptions options) => new(
        options is { SshPort: { } port, Address: { } address } ? new IPEndPoint(address, port) : null,
        options.ReconnectCommand);
}

/// <summary>The machines of all workers, by the worker's id in any letter case.</summary>
internal sealed class WorkerHosts
{
    private Dictionary<string, WorkerHost> _hosts;

    public WorkerHosts(IEnumerable<WorkerOptions> workers) => _hosts = Table(workers);

    /// <summary>One of which nothing is known for a worker that is not configured: a managed one.</summary>
    public WorkerHost Of(string workerId) => Volatile.Read(ref _hosts).GetValueOrDefault(workerId, WorkerHost.Unknown);

    /// <summary>Other workers are configured now.</summary>
    public void Replace(IEnumerable<WorkerOptions> workers) => Volatile.Write(ref _hosts, Table(workers));

    private static Dictionary<string, WorkerHost> Table(IEnumerable<WorkerOptions> workers) =>
        workers.ToDictionary(static worker => worker.Name, WorkerHost.From, StringComparer.OrdinalIgnoreCase);
}
