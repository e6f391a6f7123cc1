using TorBalancer.TorControl.Syntax;
using TorBalancer.Transport;

namespace TorBalancer.TorControl;

/// <summary>Limits of one control connection.</summary>
internal sealed record ControlConnectionOptions
{
    public static readonly ControlConnectionOptions Default = new();

    /// <summary>For connecting and authenticating together. Default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For each command, until its reply is complete. Default 10 s.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What the connection is bound to, for a worker behind a WireGuard link. Default: nothing.</summary>
    public SocketBinding Binding { get; init; }

    /// <summary>A longer reply ends the connection. Default 16 MiB.</summary>
    public int MaxReplyBytes { get; init; } = ControlProtocolParser.DefaultMaxReplyBytes;
}
