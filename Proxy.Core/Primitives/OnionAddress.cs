using System.Security.Cryptography;

namespace TorBalancer.Primitives;

/// <summary>
/// Knows .onion names (RFC 7686) and the v3 checksum (tor's rend-spec-v3, section 6), so that a malformed one fails at once.
/// </summary>
public static class OnionAddress
{
    private const int V3Length = 56;

    /// <summary>True when the name's last label is "onion".</summary>
    /// <param name="host">In canonical form: lower case, without the root dot.</param>
    public static bool IsOnionName(ReadOnlySpan<char> host) => HostName.IsWithin(host, "onion");

    /// <summary>
    /// True when the label before ".onion" is a v3 address whose version is 3 and whose checksum holds. Subdomains in
    /// front of it are allowed. v2 addresses (16 letters) are gone from the network and count as invalid.
    /// </summary>
    /// <param name="host">In canonical form.</param>
    public static bool IsValid(ReadOnlySpan<char> host)
    {
        if (!host.EndsWith(".onion", StringComparison.Ordinal))
            return false;
        host = host[..^".onion".Length];
        int dot = host.LastIndexOf('.');
        var label = dot < 0 ? host : host[(dot + 1)..];
        Span<byte> raw = stackalloc byte[35];
        if (label.Length != V3Length || !TryDecodeBase32(label, raw) || raw[34] != 3)
            return false;
        if (!SHA3_256.IsSupported)
            return true;

        // CHECKSUM = SHA3-256(".onion checksum" | PUBKEY | VERSION)[:2]
        Span<byte> input = stackalloc byte[15 + 32 + 1];
        ".onion checksum"u8.CopyTo(input);
        raw[..32].CopyTo(input[15..]);
        input[47] = 3;
        Span<byte> hash = stackalloc byte[32];
        SHA3_256.HashData(input, hash);
        return hash[0] == raw[32] && hash[1] == raw[33];
    }

    private static bool TryDecodeBase32(ReadOnlySpan<char> text, Span<byte> output)
    {
        int bits = 0, value = 0, at = 0;
        foreach (char c in text)
        {
            int digit = c switch
            {
                >= 'a' and <= 'z' => c - 'a',
                >= '2' and <= '7' => c - '2' + 26,
                _ => -1,
            };
            if (digit < 0)
                return false;
            value = ((value << 5) | digit) & 0xfff;
            bits += 5;
            if (bits >= 8)
            {
                bits -= 8;
                output[at++] = (byte)(value >> bits);
            }
        }

        return at == output.Length;
    }
}
