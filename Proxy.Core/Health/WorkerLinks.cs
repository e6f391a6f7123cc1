using System.Net;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Health;

/// <summary>What of a worker only probes need.</summary>
/// <param name="Host">The TCP port that says whether its host is up; null: that step is skipped.</param>
/// <param name="ReconnectCommand">Run in recovery; empty: nothing.</param>
internal sealed record WorkerLink(IPEndPoint? Host, string ReconnectCommand)
{
    public static WorkerLink None { get; } = new(null, "");

    public static WorkerLink From(WorkerOptions options) => new(
        options is { SshPort: { } port, Address: { } address } ? new IPEndPoint(address, port) : null,
        options.ReconnectCommand);
}

/// <summary>The links of all workers, by id in any letter case.</summary>
internal sealed class WorkerLinks
{
    private readonly Dictionary<string, WorkerLink> _links = new(StringComparer.OrdinalIgnoreCase);

    public WorkerLinks(IEnumerable<WorkerOptions> workers)
    {
        foreach (var worker in workers)
            _links[worker.Name] = WorkerLink.From(worker);
    }

    public WorkerLink Of(string id) => _links.GetValueOrDefault(id, WorkerLink.None);
}
