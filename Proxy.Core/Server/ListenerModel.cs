using System.Net;
using TorBalancer.Authentication;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Routing;
using TorBalancer.Server.Limits;

namespace TorBalancer.Server;

/// <summary>What is configured of a listener; immutable.</summary>
internal sealed class ListenerModel(ListenerOptions options, IsolationMode defaultIsolation, bool isDualStack = false)
{
    private readonly IPNetwork[] _allowFrom = [.. options.AllowFrom];
    private readonly IPNetwork[] _denyFrom = [.. options.DenyFrom];

    public string Name { get; } = options.Name;

    /// <summary>
    /// Of a range of ports, one of them: each has a model of its own, and all of a listener share what does not tell them apart.
    /// </summary>
    public EndPoint Address { get; private set; } = options.Address;

    /// <summary>The ports that are sessions, its own among them; null: none is.</summary>
    public PortSessions? SessionPorts { get; } = options is
    {
        Session: ListenerSession.Port, Address: IPEndPoint { Port: > 0 and var first },
    }
        ? new PortSessions(first, Math.Max(first, options.LastPort)) : null;

    /// <summary>The address as configured, with all ports of its range.</summary>
    public string AddressText { get; } = options.AddressText;

    /// <summary>What it adds to what its clients ask for; null: nothing.</summary>
    public ImpliedParameters? Implied { get; private set; } = ImpliedParameters.Of(
        options, options is { Session: ListenerSession.Port, Address: IPEndPoint { Port: > 0 } own } ? own.Port : null);

    /// <summary>See <see cref="BothFamilies"/>.</summary>
    public bool IsDualStack { get; } = isDualStack;

    public ListenerAuth Auth { get; } = options.Auth;

    /// <summary>Who may use it where <see cref="Auth"/> asks for users: those of now, also when this model has been replaced.</summary>
    public ListenerUsers Users { get; } = new(options.Users);

    /// <summary>Wrong passwords a minute of one client address; 0: any number.</summary>
    public int FailedLogins { get; } = options.FailedLogins;

    public string? Mode { get; } = options.Mode;

    public IsolationMode Isolation { get; } = options.Isolation ?? defaultIsolation;

    public bool ExtendedErrors { get; } = options.ExtendedErrors;

    public bool TellsExit { get; } = options.TellExit;

    public TimeSpan HandshakeTimeout { get; } = options.HandshakeTimeout;

    public int MaxConnections { get; } = options.MaxConnections;

    /// <summary>Peers whose connections begin with a header of the PROXY protocol; null: nobody's.</summary>
    public ProxyProtocolPeers? ProxyProtocol { get; } = options.ProxyProtocol;

    /// <summary>The certificate that clients are shown, who then speak TLS; null: they speak in the clear.</summary>
    public CertificateFiles? Tls { get; } = options.Tls;

    /// <summary>What its clients may ask for; null: anything.</summary>
    public TargetRules? Targets { get; } = TargetRules.Of($"Listener:{options.Name}", options.AllowTargets, options.DenyTargets);

    /// <summary>Null: nothing but <see cref="MaxConnections"/> is limited.</summary>
    public ListenerLimitModel? Limits { get; } = ListenerLimitModel.Of(options.Limits);

    /// <summary>Its clients know of no proxy: nothing is read from them before a stream is open.</summary>
    public bool IsTransparent { get; } = options.Protocols.HasFlag(ListenerProtocols.Transparent);

    /// <summary>How it learns where a connection was going; of use where <see cref="IsTransparent"/>.</summary>
    public TransparentWay Transparent { get; } = options.Transparent;

    /// <summary>Whether connections to foreign addresses come to its socket.</summary>
    public bool TakesForeign => IsTransparent && Transparent == TransparentWay.TProxy;

    /// <summary>Whether rules may go by the name in a transparent connection's first bytes.</summary>
    public bool Sniffs { get; } = options.Sniff;

    public UnixFileMode SocketMode { get; } = options.SocketMode;

    /// <summary>Those of all listeners.</summary>
    public static IReadOnlyList<ListenerModel> AllOf(TorBalancerOptions options) =>
    [
        .. options.Listeners.SelectMany(
            listener => new ListenerModel(listener, options.Balancing.Isolation, BothFamilies.Serves(options, listener)).OfEachPort()),
    ];

    /// <summary>A model for each port of its range, this one the first; itself where it has none.</summary>
    public IEnumerable<ListenerModel> OfEachPort() =>
        options.Addresses.Select((address, index) => index == 0 ? this : At((IPEndPoint)address));

    /// <summary>The model of one of the ports that are sessions; null: it is none of them.</summary>
    public ListenerModel? OfSessionPort(int port) =>
        SessionPorts?.Contains(port) != true || Address is not IPEndPoint own ? null
        : own.Port == port ? this : At(new IPEndPoint(own.Address, port));

    public bool Speaks(DetectedProtocol protocol) => protocol switch
    {
        DetectedProtocol.Socks5 => options.Protocols.HasFlag(ListenerProtocols.Socks5),
        DetectedProtocol.Socks4 => options.Protocols.HasFlag(ListenerProtocols.Socks4),
        DetectedProtocol.Http => options.Protocols.HasFlag(ListenerProtocols.Http),
        _ => false,
    };

    /// <summary>
    /// Why a client from here may not connect; no error: it may. DenyFrom goes first. Peers of a unix socket have passed its permissions.
    /// </summary>
    public ProxyError Admits(IPAddress? client)
    {
        if (client is null)
            return default;
        if (Contains(_denyFrom, client))
            return new ProxyError(FailureCause.ClientNotAllowed, "the client is in the listener's DenyFrom");
        return _allowFrom.Length == 0 || Contains(_allowFrom, client)
            ? default : new ProxyError(FailureCause.ClientNotAllowed, "the client is not in the listener's AllowFrom");
    }

    private ListenerModel At(IPEndPoint address)
    {
        var other = (ListenerModel)MemberwiseClone();
        other.Address = address;
        other.Implied = ImpliedParameters.Of(options, address.Port);
        return other;
    }

    private static bool Contains(IPNetwork[] networks, IPAddress client)
    {
        foreach (var network in networks)
        {
            if (network.Contains(client))
                return true;
        }

        return false;
    }
}
