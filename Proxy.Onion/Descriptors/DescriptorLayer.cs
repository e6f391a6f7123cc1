using System.Buffers.Binary;
using System.Security.Cryptography;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Descriptors;

/// <summary>Encrypts and decrypts the two layers of a descriptor (rend-spec-v3, 2.5.3): salt | ciphertext | MAC.</summary>
/// <param name="BlindedKey">The secret data, for services without client authorization.</param>
/// <param name="RevisionCounter">The descriptor's.</param>
internal readonly record struct DescriptorLayer(Bytes32 BlindedKey, Bytes32 Subcredential, ulong RevisionCounter)
{
    private const int SaltLength = 16, KeyLength = 32, IvLength = 16, MacLength = 32;

    /// <summary>The constant of the layer that directories see.</summary>
    public static ReadOnlySpan<byte> Outer => "hsdir-superencrypted-data"u8;

    /// <summary>The constant of the layer within it.</summary>
    public static ReadOnlySpan<byte> Inner => "hsdir-encrypted-data"u8;

    public byte[] Encrypt(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> constant)
    {
        byte[] result = new byte[SaltLength + plaintext.Length + MacLength];
        var salt = result.AsSpan(0, SaltLength);
        var body = result.AsSpan(SaltLength, plaintext.Length);
        RandomNumberGenerator.Fill(salt);
        plaintext.CopyTo(body);
        Span<byte> keys = stackalloc byte[KeyLength + IvLength + MacLength];
        DeriveKeys(salt, constant, keys);
        using (var cipher = new AesCtr(keys[..KeyLength], keys.Slice(KeyLength, IvLength)))
            cipher.Apply(body);
        ComputeMac(keys[^MacLength..], salt, body, result.AsSpan(result.Length - MacLength));
        CryptographicOperations.ZeroMemory(keys);
        return result;
    }

    /// <summary>The plaintext; null when the MAC says that it was not encrypted with these keys.</summary>
    public byte[]? Decrypt(ReadOnlySpan<byte> encrypted, ReadOnlySpan<byte> constant)
    {
        if (encrypted.Length <= SaltLength + MacLength)
            return null;
        var salt = encrypted[..SaltLength];
        var body = encrypted[SaltLength..^MacLength];
        Span<byte> keys = stackalloc byte[KeyLength + IvLength + MacLength];
        Span<byte> mac = stackalloc byte[MacLength];
        DeriveKeys(salt, constant, keys);
        try
        {
            ComputeMac(keys[^MacLength..], salt, body, mac);
            if (!CryptographicOperations.FixedTimeEquals(mac, encrypted[^MacLength..]))
                return null;
            byte[] plaintext = body.ToArray();
            using var cipher = new AesCtr(keys[..KeyLength], keys.Slice(KeyLength, IvLength));
            cipher.Apply(plaintext);
            return plaintext;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(keys);
        }
    }

    // SHAKE-256(secret data | subcredential | INT_8(revision counter) | salt | constant) = key | IV | MAC key
    private void DeriveKeys(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> constant, Span<byte> keys)
    {
        Span<byte> input = stackalloc byte[128 + SaltLength];
        BlindedKey.CopyTo(input);
        Subcredential.CopyTo(input[32..]);
        BinaryPrimitives.WriteUInt64BigEndian(input[64..], RevisionCounter);
        salt.CopyTo(input[72..]);
        constant.CopyTo(input[(72 + SaltLength)..]);
        Shake256.HashData(input[..(72 + SaltLength + constant.Length)], keys);
    }

    // SHA3-256(INT_8(length) | MAC key | INT_8(length) | salt | ciphertext)
    private static void ComputeMac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> body, Span<byte> mac)
    {
        using var hash = new Sha3();
        hash.Add((ulong)key.Length).Add(key).Add((ulong)salt.Length).Add(salt).Add(body).Finish(mac);
    }
}
