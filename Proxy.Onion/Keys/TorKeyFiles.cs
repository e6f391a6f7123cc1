using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Keys;

/// <summary>The files that tor keeps a service's identity in, beside hostname, in its HiddenServiceDir.</summary>
internal static class TorKeyFiles
{
    public const string SecretName = "hs_ed25519_secret_key", PublicName = "hs_ed25519_public_key", HostName = "hostname";

    /// <summary>What the file of a secret key begins with: 29 letters, then zeros up to 32.</summary>
    public static ReadOnlySpan<byte> SecretHeader => "== ed25519v1-secret: type0 ==\0\0\0"u8;

    private static ReadOnlySpan<byte> PublicHeader => "== ed25519v1-public: type0 ==\0\0\0"u8;

    /// <summary>What hs_ed25519_secret_key holds: header | a | RH. In memory that does not move, the caller's to zero.</summary>
    public static byte[] Secret(IdentityKey key)
    {
        byte[] content = GC.AllocateArray<byte>(SecretHeader.Length + Ed25519SecretKey.ExpandedLength, pinned: true);
        SecretHeader.CopyTo(content);
        key.CopyTo(content.AsSpan(SecretHeader.Length));
        return content;
    }

    /// <summary>What hs_ed25519_public_key holds.</summary>
    public static byte[] Public(IdentityKey key) => [.. PublicHeader, .. key.PublicKey.ToArray()];
}
