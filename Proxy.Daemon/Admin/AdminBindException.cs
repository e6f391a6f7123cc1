using TorBalancer.Daemon.Hosting;

namespace TorBalancer.Daemon.Admin;

/// <summary>The admin API cannot have one of its two places.</summary>
internal sealed class AdminBindException(string message, Exception inner) : StartupException(message, inner)
{
    /// <summary>True for the unix socket, false for the address.</summary>
    public required bool IsSocket { get; init; }
}
