using System.Buffers.Text;
using System.Text;

namespace TorBalancer.Protocols.Http;

/// <summary>Proxy-Authorization: Basic (RFC 7617).</summary>
internal static class BasicCredentials
{
    /// <summary>More than SOCKS can carry (255 + 1 + 255 octets), less than a head.</summary>
    private const int MaxDecoded = 1024;

    /// <summary>
    /// Takes "Basic" SP token68. The user name ends at the first colon; a password may hold colons; both may be empty.
    /// Another scheme gives null and true, as if nothing had come: what may be asked for is Basic. False when it is
    /// Basic and cannot be read; that must not pass for "no credentials", because credentials are an isolation key.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> value, out ClientCredentials? credentials)
    {
        credentials = null;
        int space = value.IndexOf((byte)' ');
        var scheme = space < 0 ? value : value[..space];
        if (!HttpChars.EqualsIgnoreCase(scheme, "basic"u8))
            return true;
        var encoded = space < 0 ? default : value[space..].Trim((byte)' ');
        Span<byte> decoded = stackalloc byte[MaxDecoded];
        if (encoded.IsEmpty || encoded.Length > MaxDecoded || encoded.ContainsAny(" \t"u8))
            return false;
        Span<byte> padded = stackalloc byte[MaxDecoded + 3];
        encoded.CopyTo(padded);
        int length = encoded.Length;
        while (length % 4 != 0)
            padded[length++] = (byte)'=';
        if (Base64.DecodeFromUtf8(padded[..length], decoded, out _, out int written) != System.Buffers.OperationStatus.Done)
            return false;
        decoded = decoded[..written];
        int colon = decoded.IndexOf((byte)':');
        if (colon < 0)
            return false;
        credentials = new ClientCredentials(Encoding.Latin1.GetString(decoded[..colon]), Encoding.Latin1.GetString(decoded[(colon + 1)..]));
        return true;
    }
}
