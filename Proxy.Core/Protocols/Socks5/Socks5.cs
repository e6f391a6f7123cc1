namespace TorBalancer.Protocols.Socks5;

/// <summary>Numbers of RFC 1928, RFC 1929 and tor's socks-extensions.</summary>
internal static class Socks5
{
    public const byte Version = 0x05;

    /// <summary>RFC 1929, section 2.</summary>
    public const byte AuthVersion = 0x01;

    public const byte MethodNoAuth = 0x00, MethodUserPassword = 0x02, MethodNoneAcceptable = 0xFF;

    public const byte CommandConnect = 0x01, CommandBind = 0x02, CommandUdpAssociate = 0x03;

    /// <summary>tor's RESOLVE and RESOLVE_PTR (socks-extensions, section 2).</summary>
    public const byte CommandResolve = 0xF0, CommandResolvePtr = 0xF1;

    public const byte AddressIPv4 = 0x01, AddressName = 0x03, AddressIPv6 = 0x04;

    public const byte ReplySucceeded = 0x00;
}
