using System.Net;
using System.Security.Cryptography.X509Certificates;
using TorBalancer.Admin;
using TorBalancer.Admin.Events;
using TorBalancer.Admin.Explain;
using TorBalancer.Admin.Fetch;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Admin;

/// <summary>What the admin API shows and commands.</summary>
internal sealed record AdminServices
{
    public required AdminViews Views { get; init; }

    public required BlacklistViews Blacklist { get; init; }

    public required Explainer Explainer { get; init; }

    public required EventHub Events { get; init; }

    public required AdminCommands Commands { get; init; }

    public required FetchEngine Fetch { get; init; }

    /// <summary>How another process takes over; null: none can.</summary>
    public HandOver? HandOver { get; init; }

    /// <summary>What is configured now.</summary>
    public required Func<ConfigView> Configuration { get; init; }
}

/// <summary>Where the admin API listens, and what it asks for there.</summary>
/// <param name="Address">Null: nowhere.</param>
/// <param name="SocketPath">Its unix socket; null: none.</param>
internal sealed record AdminEndPoints(IPEndPoint? Address, string? SocketPath)
{
    /// <summary>What clients of the address must send; empty: nothing.</summary>
    public string Token { get; init; } = "";

    /// <summary>
    /// Listening sockets of another process, by address, that are taken instead of bound; nobody is accepted then before
    /// <see cref="AdminListener.Resume"/>. Null: there is no such process.
    /// </summary>
    public Func<EndPoint, InheritedSocket?>? Inherited { get; init; }

    /// <summary>What the address is served with, and the chain behind it; null: in plain HTTP.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <inheritdoc cref="Certificate"/>
    public X509Certificate2Collection? Chain { get; init; }
}
