using System.Net;

namespace TorBalancer.Protocols.ProxyProtocol;

/// <summary>What the bytes at the beginning of a connection are.</summary>
internal enum ProxyHeaderState : byte
{
    /// <summary>They may become a header.</summary>
    Incomplete,

    /// <summary>A whole header, and perhaps what comes behind it.</summary>
    Complete,

    /// <summary>Something else: no header begins like this.</summary>
    Missing,

    /// <summary>A header that is wrong.</summary>
    Invalid,

    /// <summary>The peer finished before its first byte.</summary>
    Closed,
}

/// <summary>What a header of the PROXY protocol says.</summary>
/// <param name="Length">Its bytes.</param>
/// <param name="Source">
/// Whom the peer speaks for, an IPv4 address where it is one mapped into IPv6; null: the peer's own address counts.
/// </param>
internal readonly record struct ProxyHeader(int Length, IPAddress? Source);
