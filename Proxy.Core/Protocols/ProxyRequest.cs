using TorBalancer.Primitives;

namespace TorBalancer.Protocols;

/// <summary>What the client speaks.</summary>
public enum ClientProtocol : byte
{
    Unknown,
    Socks5,
    Socks4,
    Socks4a,
    HttpConnect,
    HttpForward,

    /// <summary>None: the kernel turned the connection to us.</summary>
    Transparent,
}

/// <summary>What the client asks for.</summary>
public enum ProxyCommand : byte
{
    /// <summary>A byte stream to the target.</summary>
    Connect,

    /// <summary>Tor's RESOLVE (0xF0): the address of a name.</summary>
    Resolve,

    /// <summary>Tor's RESOLVE_PTR (0xF1): the name of an address.</summary>
    ResolvePtr,
}

/// <summary>One request of a client, whatever protocol it came by.</summary>
/// <param name="Protocol">The protocol it came by.</param>
/// <param name="Command">What is asked.</param>
/// <param name="Target">Host and port as given.</param>
/// <param name="Credentials">The user name and password that the client sent, or null when it sent none.</param>
public sealed record ProxyRequest(ClientProtocol Protocol, ProxyCommand Command, HostEndPoint Target, ClientCredentials? Credentials)
{
    /// <summary>
    /// What else tells the client's connections apart: Tor's isolation fields of HTTP; null: none came. Part of the client's identity, as
    /// its credentials are.
    /// </summary>
    public string? Isolation { get; init; }

    /// <summary>
    /// The name by which the client's first bytes call an address that it connects to; null: none is known. Rules may go by it and lists
    /// may deny it; it is never asked for and never sent, because only the client says that it belongs to the address.
    /// </summary>
    public HostEndPoint? Named { get; init; }
}

/// <summary>
/// A user name and password as the client sent them (bytes mapped to Latin-1), verbatim: together they are an isolation key.
/// </summary>
public sealed record ClientCredentials(string User, string Password)
{
    /// <summary>Never prints what was sent.</summary>
    public override string ToString() => "(credentials)";
}
