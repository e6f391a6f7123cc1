using System.Security.Cryptography;

namespace TorBalancer.Onion.Crypto;

/// <summary>Curve25519 keys (RFC 7748).</summary>
internal static unsafe class X25519
{
    /// <summary>The public key of a new key pair, whose secret half nobody needs.</summary>
    public static Bytes32 GeneratePublicKey()
    {
        Sodium.Require();
        byte* secret = stackalloc byte[Bytes32.Length];
        byte* point = stackalloc byte[Bytes32.Length];
        var secretBytes = new Span<byte>(secret, Bytes32.Length);
        RandomNumberGenerator.Fill(secretBytes);
        int result = Sodium.MultiplyCurve25519Base(point, secret);
        CryptographicOperations.ZeroMemory(secretBytes);
        return result == 0
            ? new Bytes32(new ReadOnlySpan<byte>(point, Bytes32.Length))
            : throw new CryptographicException("a Curve25519 key could not be made");
    }
}
