using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TorBalancer.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Protocols;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>What every client connection needs and none owns.</summary>
internal sealed record ConnectionServices
{
    public required ITransport Transport { get; init; }

    public required UserParametersParser UserParameters { get; init; }

    /// <summary>Says whether a user's password is right.</summary>
    public required PasswordChecker Passwords { get; init; }

    public required StreamOpener Opener { get; init; }

    public required ConnectionRegistry Registry { get; init; }

    public required AccessLog AccessLog { get; init; }

    public required ExitLookup Exits { get; init; }

    public required IpOnlyClientNotice IpOnlyNotice { get; init; }

    /// <summary>Where the connections of transparent listeners were going.</summary>
    public required TransparentTargets TransparentTargets { get; init; }

    /// <summary>Told what is listened on.</summary>
    public required OwnPorts OwnPorts { get; init; }

    /// <summary>How all of them end behind an answer.</summary>
    public required LingeringClose Lingering { get; init; }

    /// <summary>Told of every connection; null: nobody gives memory back.</summary>
    public required MemoryTrim? Trim { get; init; }

    /// <summary>What clients are promised descriptors from.</summary>
    public required DescriptorBudget Descriptors { get; init; }

    /// <summary>Asked for every client.</summary>
    public required MemoryRoom Memory { get; init; }

    /// <summary>Those of the listeners that speak TLS.</summary>
    public required ListenerCertificates Certificates { get; init; }

    /// <summary>Asked for every client where something is limited, and for every user.</summary>
    public required ConnectionLimiter Limiter { get; init; }

    /// <summary>[Tunnel] IdleTimeout; zero: none.</summary>
    public required Live<TimeSpan> TunnelIdleTimeout { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Sockets that were opened for listeners by somebody else.</summary>
    public InheritedSockets Inherited { get; init; } = InheritedSockets.None;

    private readonly ConcurrentDictionary<string, ListenerPlaces> _places = new(StringComparer.Ordinal);

    /// <summary>The places for a listener's clients, by its name: those of all its ports where it has several.</summary>
    public ListenerPlaces PlacesOf(ListenerModel listener) =>
        _places.GetOrAdd(listener.Name, static (_, descriptors) => new ListenerPlaces(descriptors), Descriptors);

    /// <summary>What comes to the listeners.</summary>
    public ServerCounters Counters { get; } = new();

    /// <summary>The connections' own.</summary>
    public required ILogger Logger { get; init; }

    /// <summary>
    /// Opens a stream for a request of a connection's, by its listener's rules, if no limit is in the way. As
    /// <see cref="StreamOpener.OpenAsync"/>.
    /// </summary>
    public ValueTask<ConnectOutcome> OpenAsync(
        ConnectionContext context, ProxyRequest request, UserParameters parameters, CancellationToken cancellationToken)
    {
        context.HasRequest = true;
        if (Limiter.Enter(context, parameters.KnownUser) is { IsError: true } refused)
            return ValueTask.FromResult(ConnectOutcome.Rejected(refused));
        context.BeginAttempts();
        return Opener.OpenAsync(
            request,
            new ConnectionOwner(context.Listener.Name, context.ClientAddress, request.Credentials, parameters)
            {
                Isolation = request.Isolation,
                Targets = context.Listener.Targets,
                Rights = Limiter.Users.RightsOf(parameters.KnownUser),
                Watcher = context,
            },
            context.Listener.Mode, context.Listener.Isolation, cancellationToken);
    }
}
