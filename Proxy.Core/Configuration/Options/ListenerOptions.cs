using System.Net;

namespace TorBalancer.Configuration.Options;

/// <summary>Which protocols a listener speaks.</summary>
[Flags]
public enum ListenerProtocols : byte
{
    None = 0,
    Socks5 = 1,
    Socks4 = 2,
    Http = 4,
    All = Socks5 | Socks4 | Http,

    /// <summary>
    /// None: its clients know of no proxy, and the kernel turns their connections to it. Alone, because they need not speak first.
    /// </summary>
    Transparent = 8,
}

/// <summary>How the kernel turns connections to a transparent listener.</summary>
public enum TransparentWay : byte
{
    /// <summary>By NAT (nftables' redirect and dnat), whose record says where they were going.</summary>
    Redirect,

    /// <summary>By TPROXY: they arrive at the very address that they were going to. Needs CAP_NET_ADMIN.</summary>
    TProxy,
}

/// <summary>Whether clients must say who they are.</summary>
public enum ListenerAuth : byte
{
    /// <summary>Open: any user name and password is taken, keeps its isolation and may carry parameters.</summary>
    None,

    /// <summary>As <see cref="None"/>, but a user name that is configured must come with its password.</summary>
    Optional,

    /// <summary>Only configured users with their passwords.</summary>
    Required,

    /// <summary>
    /// As <see cref="Optional"/>, but an HTTP client that sends no user name is asked for one first, and any user name is a session.
    /// </summary>
    Challenge,
}

/// <summary>Where the sessions of a listener come from, beside the user names that ask for one.</summary>
public enum ListenerSession : byte
{
    /// <summary>From nowhere else.</summary>
    None,

    /// <summary>Each port is one.</summary>
    Port,
}

/// <summary>[Listener:name]: one address that clients connect to.</summary>
public sealed class ListenerOptions
{
    /// <summary>The part after the colon of the section name.</summary>
    public required string Name { get; init; }

    /// <summary>host:port, [v6]:port or unix:/path. Default 127.0.0.1:1080. The host is an IP literal or localhost.</summary>
    public EndPoint Address { get; set; } = new IPEndPoint(IPAddress.Loopback, 1080);

    /// <summary>The last port of a range that begins with <see cref="Address"/>; 0: it is one port, or none. Default 0.</summary>
    public int LastPort { get; set; }

    /// <summary>Default none. A range of ports needs <see cref="ListenerSession.Port"/>.</summary>
    public ListenerSession Session { get; set; }

    /// <summary>How long the sessions of its ports keep their circuit, 1 s to 24 h; zero: as long as tor does. Default zero.</summary>
    public TimeSpan SessionLifetime { get; set; }

    /// <summary>Only workers of this country, unless the user name asks for another; empty: any. Default empty.</summary>
    public string Country { get; set; } = "";

    /// <summary>Default: all three, told apart by the first byte.</summary>
    public ListenerProtocols Protocols { get; set; } = ListenerProtocols.All;

    /// <summary>Of use where <see cref="Protocols"/> is transparent. Default redirect.</summary>
    public TransparentWay Transparent { get; set; }

    /// <summary>
    /// Whether a transparent listener looks for a name in a client's first bytes, for rules alone. Default false.
    /// </summary>
    public bool Sniff { get; set; }

    /// <summary>Default none.</summary>
    public ListenerAuth Auth { get; set; }

    /// <summary>
    /// User names with passwords, or crypt(3)'s hashes of them, for <see cref="Auth"/> optional and required (Users and UsersFile
    /// together).
    /// </summary>
    public IDictionary<string, string> Users { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The file that some of <see cref="Users"/> are from, absolute; it is read again when it changes. Null: none.</summary>
    public string? UsersFile { get; set; }

    /// <summary>
    /// How many wrong passwords a minute a client address may send, in all and for one user; 0: any number. Default 20, 0 to 100,000.
    /// </summary>
    public int FailedLogins { get; set; } = 20;

    /// <summary>
    /// Client networks that may connect; empty: loopback only needs no list, others are refused without one or Auth = required.
    /// </summary>
    public IList<IPNetwork> AllowFrom { get; } = [];

    /// <summary>Client networks that may not connect, whatever <see cref="AllowFrom"/> says. Default: none.</summary>
    public IList<IPNetwork> DenyFrom { get; } = [];

    /// <summary>The only targets that its clients may ask for; empty: any. Default: empty.</summary>
    public IList<TargetPattern> AllowTargets { get; } = [];

    /// <summary>Targets that its clients may not ask for, whatever <see cref="AllowTargets"/> says. Default: empty.</summary>
    public IList<TargetPattern> DenyTargets { get; } = [];

    /// <summary>A balancing mode for this listener; null: the pool's.</summary>
    public string? Mode { get; set; }

    /// <summary>Isolation for this listener; null: [Balancing] Isolation.</summary>
    public IsolationMode? Isolation { get; set; }

    /// <summary>Send tor's F0-F7 codes to SOCKS5 clients. Default false: curl, git and torsocks understand 01-08 only.</summary>
    public bool ExtendedErrors { get; set; }

    /// <summary>
    /// Tell an HTTP client that asks which exit carries its CONNECT. Default false: a client learns no more of Tor than it must.
    /// </summary>
    public bool TellExit { get; set; }

    /// <summary>How long a client may take for its whole request. Default 15 s, 1 s to 10 min.</summary>
    public TimeSpan HandshakeTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Connections of this listener at one time; 0: no limit but the descriptors'. Default 0.</summary>
    public int MaxConnections { get; set; }

    /// <summary>
    /// Peers that have to say by the PROXY protocol whom they speak for; what they say is the client's address everywhere. Default null: it
    /// is taken from nobody.
    /// </summary>
    public ProxyProtocolPeers? ProxyProtocol { get; set; }

    /// <summary>Speak TLS with clients, and inside it what <see cref="Protocols"/> says. Default null: in the clear.</summary>
    public CertificateFiles? Tls { get; set; }

    /// <summary>How much of it one client, one user and all together may have.</summary>
    public ListenerLimitOptions Limits { get; } = new();

    /// <summary>Everything that it listens on: an address for each port of its range.</summary>
    public IEnumerable<EndPoint> Addresses => Address is IPEndPoint first && LastPort > first.Port
        ? Enumerable.Range(first.Port, LastPort - first.Port + 1).Select(port => (EndPoint)new IPEndPoint(first.Address, port))
        : [Address];

    /// <summary>The address as it is written in the configuration.</summary>
    public string AddressText => new ListenAddress(Address, LastPort).ToString();

    /// <summary>Permissions of a unix socket, octal. Default 0660.</summary>
    public UnixFileMode SocketMode { get; set; } =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
}
