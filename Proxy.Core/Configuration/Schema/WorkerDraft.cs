using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>A [Worker:…] while it is read: Address and the ports become end points when all are known.</summary>
internal sealed class WorkerDraft(string name)
{
    public WorkerOptions Options { get; } = new() { Name = name };

    /// <summary>An <see cref="IPEndPoint"/> with port 0, a unix socket, or null when the key was not given.</summary>
    public EndPoint? Address { get; set; }

    public PortOrSocket? SocksPort { get; set; }

    public PortOrSocket? ControlPort { get; set; }
}
