using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>A [Listener:…] while it is read: what several keys decide together waits here until all are known.</summary>
internal sealed class ListenerDraft(string name)
{
    public ListenerOptions Options { get; } = new() { Name = name };

    public List<Credential> Users { get; set; } = [];
}
