using System.Collections.Concurrent;
using System.Net;
using TorBalancer.Configuration;
using TorBalancer.TorControl;

namespace TorBalancer.Health;

/// <summary>What of a worker only probes need.</summary>
/// <param name="Host">The TCP port that says whether its host is up; null: that step is skipped.</param>
/// <param name="Control">Its control port; null: none.</param>
/// <param name="ReconnectCommand">Run in recovery; empty: nothing.</param>
internal sealed record WorkerLink(IPEndPoint? Host, EndPoint? Control, ControlCredentials Credentials, string ReconnectCommand)
{
    public static WorkerLink None { get; } = new(null, null, ControlCredentials.None, "");

    public static WorkerLink From(WorkerOptions options) => new(
        options is { SshPort: { } port, Address: { } address } ? new IPEndPoint(address, port) : null,
        options.ControlEndPoint,
        new ControlCredentials(options.ControlCookie.Length > 0 ? options.ControlCookie : null, options.ControlPassword.Length > 0 ? options.ControlPassword : null),
        options.ReconnectCommand);
}

/// <summary>The links of all workers, by id in any letter case.</summary>
internal sealed class WorkerLinks
{
    private readonly ConcurrentDictionary<string, WorkerLink> _links = new(StringComparer.OrdinalIgnoreCase);

    public WorkerLinks(IEnumerable<WorkerOptions> workers)
    {
        foreach (var worker in workers)
            _links[worker.Name] = WorkerLink.From(worker);
    }

    public WorkerLink Of(string id) => _links.GetValueOrDefault(id, WorkerLink.None);

    public void Set(string id, WorkerLink link) => _links[id] = link;
}
