using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace TorBalancer.Testnet.Nodes;

/// <summary>
/// A relay's RSA identity, made before its first start: the authorities' torrc must name every relay, and asking tor
/// itself (--list-fingerprint) costs a process each.
/// </summary>
internal static class RelayIdentity
{
    /// <summary>Writes <c>keys/secret_id_key</c> below the data directory and returns the fingerprint, 40 upper-case hex digits.</summary>
    [SuppressMessage("Security", "CA5350", Justification = "tor-spec 0.3: a relay's fingerprint is the SHA-1 of its RSA key")]
    [SuppressMessage("Security", "CA5385", Justification = "tor-spec 1.1: relays' RSA identities have 1024 bits")]
    public static string Create(string dataDirectory)
    {
        using var key = RSA.Create(1024);
        PrivateFiles.Write(
            Path.Combine(PrivateFiles.CreateDirectory(Path.Combine(dataDirectory, "keys")), "secret_id_key"),
            key.ExportRSAPrivateKeyPem() + "\n");
        return Convert.ToHexString(SHA1.HashData(key.ExportRSAPublicKey()));
    }
}
