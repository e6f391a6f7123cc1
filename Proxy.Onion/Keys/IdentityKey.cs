using System.Security.Cryptography;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Keys;

/// <summary>The secret identity key of an onion service. Zeroed when it is disposed.</summary>
internal sealed class IdentityKey : IDisposable
{
    private readonly Ed25519SecretKey _secret;
    private readonly byte[] _asStored;

    private IdentityKey(Ed25519SecretKey secret, ReadOnlySpan<byte> asStored)
    {
        _secret = secret;
        _asStored = GC.AllocateArray<byte>(asStored.Length, pinned: true);
        asStored.CopyTo(_asStored);
        Address = new OnionServiceAddress(secret.PublicKey);
    }

    public OnionServiceAddress Address { get; }

    public Bytes32 PublicKey => _secret.PublicKey;

    /// <summary>A new one, in tor's form: publishers and tors can all have it as it is.</summary>
    public static IdentityKey Generate()
    {
        Span<byte> expanded = stackalloc byte[Ed25519SecretKey.ExpandedLength];
        using var secret = Ed25519SecretKey.Generate();
        secret.CopyTo(expanded);
        try
        {
            return FromExpanded(expanded);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(expanded);
        }
    }

    /// <summary>From the 32 bytes of a PKCS#8 key.</summary>
    public static IdentityKey FromSeed(ReadOnlySpan<byte> seed) => new(Ed25519SecretKey.FromSeed(seed), seed);

    /// <summary>From the 64 bytes of tor's hs_ed25519_secret_key.</summary>
    public static IdentityKey FromExpanded(ReadOnlySpan<byte> expanded) => new(Ed25519SecretKey.FromExpanded(expanded), expanded);

    /// <summary>The key that signs for a time period.</summary>
    public Ed25519SecretKey Blind(TimePeriod period)
    {
        Span<byte> factor = stackalloc byte[Bytes32.Length];
        KeyBlinding.Factor(PublicKey, period, factor);
        return _secret.Blind(factor);
    }

    /// <summary>
    /// The key of the revision counters: SHA3-256("rev-counter-generation" | private key). The private key is what its file holds, 32 or 64
    /// bytes, as in Onionbalance 0.2: publishers agree when they have the same key in the same form.
    /// </summary>
    /// <param name="destination">32 bytes, the caller's to zero.</param>
    public void DeriveRevisionKey(Span<byte> destination)
    {
        using var hash = new Sha3();
        hash.Add("rev-counter-generation"u8).Add(_asStored).Finish(destination);
    }

    /// <summary>Copies the 64 bytes of tor's hs_ed25519_secret_key; the copy is the caller's to zero.</summary>
    public void CopyTo(Span<byte> destination) => _secret.CopyTo(destination);

    public void Dispose()
    {
        _secret.Dispose();
        CryptographicOperations.ZeroMemory(_asStored);
    }

    /// <summary>Its address, never the secret.</summary>
    public override string ToString() => Address.ToString();
}
