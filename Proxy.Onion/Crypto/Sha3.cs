using System.Buffers.Binary;
using System.Security.Cryptography;

namespace TorBalancer.Onion.Crypto;

/// <summary>SHA3-256 over parts that come one after the other; integers are 8 bytes, big-endian (INT_8 of tor's rend-spec-v3).</summary>
internal sealed class Sha3 : IDisposable
{
    private readonly IncrementalHash _hash;

    public Sha3()
    {
        Require();
        _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA3_256);
    }

    /// <summary>Throws <see cref="OnionCryptoException"/> when the system's cryptography has no SHA-3.</summary>
    public static void Require()
    {
        if (!SHA3_256.IsSupported || !Shake256.IsSupported)
            throw new OnionCryptoException("SHA-3 is missing: OpenSSL 1.1.1 or later is needed (Debian 12 has 3.0)");
    }

    public Sha3 Add(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        return this;
    }

    public Sha3 Add(Bytes32 bytes)
    {
        Span<byte> buffer = stackalloc byte[Bytes32.Length];
        bytes.CopyTo(buffer);
        return Add(buffer);
    }

    public Sha3 Add(ulong number)
    {
        Span<byte> buffer = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(buffer, number);
        return Add(buffer);
    }

    /// <summary>The hash of all that was added.</summary>
    public Bytes32 Finish()
    {
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        Finish(hash);
        return new Bytes32(hash);
    }

    /// <inheritdoc cref="Finish()"/>
    public void Finish(Span<byte> destination) => _hash.GetHashAndReset(destination);

    public void Dispose() => _hash.Dispose();
}
