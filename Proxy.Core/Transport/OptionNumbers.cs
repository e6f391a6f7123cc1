namespace TorBalancer.Transport;

/// <summary>Linux' numbers of the socket options that either engine sets or asks for (socket(7), ip(7), tcp(7)), by level.</summary>
internal static class OptionNumbers
{
    /// <summary>SOL_SOCKET and its options.</summary>
    public const int SolSocket = 1, SoError = 4, SoKeepAlive = 9, SoLinger = 13, SoBindToDevice = 25;

    /// <summary>IPPROTO_IP and its option.</summary>
    public const int IpProtoIp = 0, IpTransparent = 19, IpBindAddressNoPort = 24;

    /// <summary>IPPROTO_IPV6 and its option.</summary>
    public const int IpProtoIpV6 = 41, IpV6Transparent = 75;

    /// <summary>SO_ORIGINAL_DST of either family's level (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h).</summary>
    public const int OriginalDestination = 80;

    /// <summary>IPPROTO_TCP and its options.</summary>
    public const int IpProtoTcp = 6, TcpNoDelay = 1, TcpKeepIdle = 4, TcpKeepInterval = 5, TcpKeepCount = 6, TcpInfo = 11;

    /// <summary>Further ones of IPPROTO_TCP.</summary>
    public const int TcpQuickAck = 12, TcpUserTimeout = 18;
}
