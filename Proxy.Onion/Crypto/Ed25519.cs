namespace TorBalancer.Onion.Crypto;

/// <summary>Ed25519 with public keys only (RFC 8032).</summary>
internal static unsafe class Ed25519
{
    public const int SignatureLength = 64;

    /// <summary>True when the signature of the message by the key holds. A key that is no point makes it false.</summary>
    public static bool Verify(ReadOnlySpan<byte> signature, ReadOnlySpan<byte> message, Bytes32 publicKey)
    {
        Sodium.Require();
        if (signature.Length != SignatureLength)
            return false;
        byte* key = stackalloc byte[Bytes32.Length];
        publicKey.CopyTo(new Span<byte>(key, Bytes32.Length));
        fixed (byte* s = signature, m = message)
            return Sodium.Verify(s, m, (ulong)message.Length, key) == 0;
    }

    /// <summary>The point times the scalar; null when it is no point of the main subgroup, which every public key is.</summary>
    /// <param name="point">A public key.</param>
    /// <param name="scalar">32 bytes, little-endian.</param>
    public static Bytes32? Multiply(Bytes32 point, ReadOnlySpan<byte> scalar)
    {
        Sodium.Require();
        byte* result = stackalloc byte[Bytes32.Length];
        byte* p = stackalloc byte[Bytes32.Length];
        point.CopyTo(new Span<byte>(p, Bytes32.Length));
        fixed (byte* n = scalar)
            return Sodium.Multiply(result, n, p) == 0 ? new Bytes32(new ReadOnlySpan<byte>(result, Bytes32.Length)) : null;
    }

    /// <summary>Makes a secret scalar of 32 random bytes (RFC 8032, 5.1.5): a multiple of 8, bit 254 set.</summary>
    public static void Clamp(Span<byte> scalar)
    {
        scalar[0] &= 0xF8;
        scalar[31] = (byte)((scalar[31] & 0x7F) | 0x40);
    }
}
