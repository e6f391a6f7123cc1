namespace TorBalancer.Protocols.Http;

/// <summary>The fields that a proxy must know; all others pass through unread.</summary>
internal enum HttpFieldId : byte
{
    Other,
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    KeepAlive,
    ProxyConnection,
    ProxyAuthenticate,
    ProxyAuthorization,
    ProxyAuthenticationInfo,
    Te,
    Trailer,
    Upgrade,
    Expect,
    Http2Settings,
    MaxForwards,

    // What Tor says over HTTP CONNECT (spec.torproject.org/http-connect) is between a client and its proxy and travels no further.
    TorStreamIsolation,
    TorStreamIsolationLegacy,
    TorRpcTarget,
    TorExtension,

    /// <summary>A client's question for the exit, and our answer to it; see <see cref="HttpConnectReply"/>.</summary>
    Exit,
}

/// <summary>Where a field line's name and value lie in the head that holds it.</summary>
internal readonly record struct HttpField(HttpFieldId Id, int NameStart, int NameLength, int ValueStart, int ValueLength);

/// <summary>Field names, case-insensitive.</summary>
internal static class HttpFieldNames
{
    public static HttpFieldId Identify(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 => Is(name, "te"u8, HttpFieldId.Te),
        4 => Is(name, "host"u8, HttpFieldId.Host),
        6 => Is(name, "expect"u8, HttpFieldId.Expect),
        7 => HttpChars.EqualsIgnoreCase(name, "upgrade"u8) ? HttpFieldId.Upgrade : Is(name, "trailer"u8, HttpFieldId.Trailer),
        10 => HttpChars.EqualsIgnoreCase(name, "connection"u8) ? HttpFieldId.Connection : Is(name, "keep-alive"u8, HttpFieldId.KeepAlive),
        12 => Is(name, "max-forwards"u8, HttpFieldId.MaxForwards),
        14 => HttpChars.EqualsIgnoreCase(name, "content-length"u8) ? HttpFieldId.ContentLength
            : HttpChars.EqualsIgnoreCase(name, "http2-settings"u8) ? HttpFieldId.Http2Settings
            : Is(name, "tor-rpc-target"u8, HttpFieldId.TorRpcTarget),
        _ => IdentifyLong(name),
    };

    /// <summary>
    /// True for what may not come in a trailer (RFC 9110, section 6.5.1): fields of framing, routing, authentication,
    /// request modifiers, response control and content format. Dropping them keeps a late field from changing a message.
    /// </summary>
    public static bool IsForbiddenInTrailer(ReadOnlySpan<byte> name)
    {
        if (Identify(name) != HttpFieldId.Other)
            return true;
        foreach (byte[] forbidden in ForbiddenTrailers)
        {
            if (HttpChars.EqualsIgnoreCase(name, forbidden))
                return true;
        }

        return false;
    }

    private static readonly byte[][] ForbiddenTrailers =
    [
        "cache-control"u8.ToArray(), "pragma"u8.ToArray(), "range"u8.ToArray(), "if-match"u8.ToArray(), "if-none-match"u8.ToArray(),
        "if-modified-since"u8.ToArray(), "if-unmodified-since"u8.ToArray(), "if-range"u8.ToArray(), "authorization"u8.ToArray(),
        "www-authenticate"u8.ToArray(), "authentication-info"u8.ToArray(), "cookie"u8.ToArray(), "set-cookie"u8.ToArray(),
        "age"u8.ToArray(), "date"u8.ToArray(), "expires"u8.ToArray(), "location"u8.ToArray(), "retry-after"u8.ToArray(), "vary"u8.ToArray(),
        "warning"u8.ToArray(), "content-encoding"u8.ToArray(), "content-type"u8.ToArray(), "content-range"u8.ToArray(),
        "content-location"u8.ToArray(), "forwarded"u8.ToArray(), "x-forwarded-for"u8.ToArray(), "x-forwarded-host"u8.ToArray(),
    ];

    private static HttpFieldId IdentifyLong(ReadOnlySpan<byte> name) => name.Length switch
    {
        16 => HttpChars.EqualsIgnoreCase(name, "proxy-connection"u8) ? HttpFieldId.ProxyConnection
            : HttpChars.EqualsIgnoreCase(name, "torbalancer-exit"u8) ? HttpFieldId.Exit
            : Is(name, "tor-capabilities"u8, HttpFieldId.TorExtension),
        17 => Is(name, "transfer-encoding"u8, HttpFieldId.TransferEncoding),
        18 => HttpChars.EqualsIgnoreCase(name, "proxy-authenticate"u8)
            ? HttpFieldId.ProxyAuthenticate
            : Is(name, "tor-request-failed"u8, HttpFieldId.TorExtension),
        19 => Is(name, "proxy-authorization"u8, HttpFieldId.ProxyAuthorization),
        20 => Is(name, "tor-stream-isolation"u8, HttpFieldId.TorStreamIsolation),
        21 => Is(name, "tor-family-preference"u8, HttpFieldId.TorExtension),
        22 => Is(name, "x-tor-stream-isolation"u8, HttpFieldId.TorStreamIsolationLegacy),
        25 => Is(name, "proxy-authentication-info"u8, HttpFieldId.ProxyAuthenticationInfo),
        _ => HttpFieldId.Other,
    };

    private static HttpFieldId Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> known, HttpFieldId id) =>
        HttpChars.EqualsIgnoreCase(name, known) ? id : HttpFieldId.Other;
}
