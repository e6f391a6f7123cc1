using System.Security.Cryptography;

namespace TorBalancer.Primitives;

/// <summary>
/// Knows .onion names (RFC 7686) and the v3 checksum (tor's rend-spec-v3, section 6), so that a malformed one fails at once.
/// </summary>
public static class OnionAddress
{
    /// <summary>The characters of a v3 address before ".onion".</summary>
    public const int LabelLength = 56;

    // PUBKEY (32) | CHECKSUM (2) | VERSION (1)
    private const int RawLength = 35, KeyLength = 32;

    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

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
        Span<byte> key = stackalloc byte[KeyLength];
        return TryReadKey(label, key);
    }

    /// <summary>Reads the public key of a v3 address; false when a letter, the version or the checksum is wrong.</summary>
    /// <param name="label">Without ".onion", in lower case.</param>
    /// <param name="publicKey">32 bytes.</param>
    public static bool TryReadKey(ReadOnlySpan<char> label, Span<byte> publicKey)
    {
        Span<byte> raw = stackalloc byte[RawLength];
        if (label.Length != LabelLength || !TryDecodeBase32(label, raw) || raw[34] != 3)
            return false;
        raw[..KeyLength].CopyTo(publicKey);
        if (!SHA3_256.IsSupported)
            return true;
        Span<byte> checksum = stackalloc byte[2];
        Checksum(publicKey, checksum);
        return checksum.SequenceEqual(raw[KeyLength..34]);
    }

    /// <summary>The v3 address of a public key, without ".onion".</summary>
    /// <param name="publicKey">32 bytes.</param>
    public static string LabelOf(ReadOnlySpan<byte> publicKey)
    {
        Span<byte> raw = stackalloc byte[RawLength];
        publicKey.CopyTo(raw);
        Checksum(publicKey, raw[KeyLength..34]);
        raw[34] = 3;

        // 35 bytes are 56 groups of 5 bits, without a rest.
        Span<char> label = stackalloc char[LabelLength];
        for (int i = 0; i < LabelLength; i++)
        {
            int bit = i * 5, at = bit / 8;
            int pair = (raw[at] << 8) | (at + 1 < RawLength ? raw[at + 1] : 0);
            label[i] = Alphabet[(pair >> (11 - (bit % 8))) & 31];
        }

        return new string(label);
    }

    // CHECKSUM = SHA3-256(".onion checksum" | PUBKEY | VERSION)[:2]
    private static void Checksum(ReadOnlySpan<byte> publicKey, Span<byte> destination)
    {
        Span<byte> input = stackalloc byte[15 + KeyLength + 1];
        ".onion checksum"u8.CopyTo(input);
        publicKey.CopyTo(input[15..]);
        input[47] = 3;
        Span<byte> hash = stackalloc byte[32];
        SHA3_256.HashData(input, hash);
        hash[..2].CopyTo(destination);
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
