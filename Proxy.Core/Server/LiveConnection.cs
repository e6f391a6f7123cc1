using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>A client connection as the registry, views and a stop know it: what is known of it, and how to end it.</summary>
internal abstract class LiveConnection(ConnectionContext context)
{
    public ConnectionContext Context { get; } = context;

    /// <summary>The registry's list; under its lock.</summary>
    internal LiveConnection? Previous { get; set; }

    /// <inheritdoc cref="Previous"/>
    internal LiveConnection? Next { get; set; }

    /// <summary>Ends the connection whatever it is doing; a tunnel that this cuts ends for the given reason.</summary>
    public abstract void Abort(TunnelEnd reason);

    /// <summary>Ends the connection if it has not asked for anything yet: others wait for its place. From any thread.</summary>
    public abstract void GiveWay();

    /// <summary>Adds what it has moved so far to its worker's totals; from any thread.</summary>
    public abstract void CountBytes();
}
