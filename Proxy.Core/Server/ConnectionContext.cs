using System.Globalization;
using System.Net;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Server.Limits;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>What is known of one client connection while it lives; views and the access log read it.</summary>
internal sealed class ConnectionContext(long id, ListenerModel listener, IPAddress? clientAddress, long started) : AttemptHistory
{
    // Views read them while the connection writes them.
    private Published<HostEndPoint?> _target;
    private Published<ProxyError> _error;

    /// <summary>Unique in this process; the word that logs and error answers share.</summary>
    public string Id => string.Create(CultureInfo.InvariantCulture, $"c{id}");

    /// <summary>The same as a number.</summary>
    public long Number => id;

    public ListenerModel Listener { get; } = listener;

    /// <summary>
    /// Whose connection it is, for all that goes by the client: AllowFrom, isolation, sticky keys, limits, log and API. The peer's address,
    /// or what a trusted peer's header says. Null: a unix socket's peer.
    /// </summary>
    public IPAddress? ClientAddress { get; private set; } = clientAddress;

    /// <summary>Its client's account at the listener; null: clients are not told apart.</summary>
    public ClientAccount? Client { get; set; }

    /// <summary>What it is to its user; null while it has proved to be none that the listener knows.</summary>
    public UserUse? User { get; set; }

    /// <summary>True for one that is only to be told of the limit that it passes, which is its <see cref="Error"/>.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>A timestamp of the server's TimeProvider.</summary>
    public long Started { get; } = started;

    /// <summary>True once a whole request has come, also while it waits for its answer and between requests of HTTP.</summary>
    public bool HasRequest { get; set; }

    public ClientProtocol Protocol { get; set; }

    public ProxyCommand Command { get; set; }

    /// <summary>Of the latest request; null before there is one.</summary>
    public HostEndPoint? Target
    {
        get => _target.Read();
        set => _target.Write(value);
    }

    public string? WorkerId { get; set; }

    /// <summary>True when the stream goes over the worker's WireGuard link.</summary>
    public bool ViaLink { get; set; }

    public int Attempts { get; set; }

    /// <summary>How its stream is found among the worker's; null before there is one.</summary>
    public StreamKey? Stream { get; set; }

    /// <summary>The circuit that carried it; null where nobody knows. Asked for when the tunnel, or a request of it, has ended.</summary>
    public CircuitExit? Circuit { get; set; }

    /// <summary>Its exit, as tor names it; null where nobody knows, and of an onion service.</summary>
    public string? Exit => ExitOf(Circuit);

    /// <summary>The same, were it carried by this circuit.</summary>
    public string? ExitOf(CircuitExit? circuit) => Stream is { Target.IsOnion: true } ? null : circuit?.Exit.ToString();

    /// <summary>When it ended, a timestamp; 0: it has not.</summary>
    public long Ended { get; set; }

    protected override bool IsOver => Ended != 0;

    /// <summary>From the request's end to the worker's answer.</summary>
    public TimeSpan ConnectTime { get; set; }

    public TunnelControl Counters { get; } = new();

    public ProxyError Error => _error.Read();

    /// <summary>HTTP requests that have had their line: those in absolute form, and those that were refused.</summary>
    public int Requests { get; set; }

    /// <summary>True when an HTTP request was upgraded and the connection became a tunnel.</summary>
    public bool Upgraded { get; set; }

    /// <summary>True while bytes are carried; before that the connect decides for itself, after that there is nothing to end.</summary>
    public bool IsTunnel { get; set; }

    /// <summary>How the tunnel ended; null when there was none.</summary>
    public TunnelEnd? End { get; set; }

    /// <summary>The peer that it came from speaks for this client.</summary>
    public void SpeaksFor(IPAddress client) => ClientAddress = client;

    /// <summary>A stream, or an answer to RESOLVE, is asked for.</summary>
    public void Observe(ProxyRequest request) => (Protocol, Command, Target) = (request.Protocol, request.Command, request.Target);

    /// <summary>It was opened, or not.</summary>
    public void Observe(in ConnectOutcome outcome) =>
        (WorkerId, Attempts, ViaLink, Stream) = (outcome.WorkerId, outcome.Attempts, outcome.ViaLink, outcome.Stream?.Key);

    /// <summary>It was given up before it was opened: what was tried by then is the latest that is known.</summary>
    public void ObserveGivenUp()
    {
        var attempts = AttemptList;
        var latest = attempts.Count > 0 ? attempts[^1] : null;
        (WorkerId, Attempts, ViaLink, Stream) = (latest?.WorkerId, attempts.Count, latest?.ViaLink == true, null);
    }

    /// <summary>It is only to be told of a limit that it passes.</summary>
    public void Refuse(ProxyError error)
    {
        IsRefused = true;
        Fail(error);
    }

    /// <summary>Says why it fails, if it does. The first cause stays: what follows is its consequence.</summary>
    public void Fail(ProxyError error)
    {
        if (!Error.IsError)
            _error.Write(error);
    }
}
