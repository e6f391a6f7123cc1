using System.Security.Cryptography;

namespace TorBalancer.Onion.Crypto;

/// <summary>
/// An Ed25519 secret key in its expanded form, as tor stores and blinds it: the scalar a and the prefix RH of the nonces. Its memory
/// does not move and is zeroed when it is disposed.
/// </summary>
internal sealed unsafe class Ed25519SecretKey : IDisposable
{
    public const int ExpandedLength = 64, SeedLength = 32;

    private readonly byte[] _expanded = GC.AllocateArray<byte>(ExpandedLength, pinned: true);

    private bool _isDisposed;

    private Ed25519SecretKey()
    {
    }

    public Bytes32 PublicKey { get; private set; }

    private ReadOnlySpan<byte> Scalar => _expanded.AsSpan(0, 32);

    private ReadOnlySpan<byte> Prefix => _expanded.AsSpan(32);

    /// <summary>A new one.</summary>
    public static Ed25519SecretKey Generate()
    {
        Span<byte> seed = stackalloc byte[SeedLength];
        RandomNumberGenerator.Fill(seed);
        try
        {
            return FromSeed(seed);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    /// <summary>From the 32 bytes that RFC 8032 calls the private key.</summary>
    public static Ed25519SecretKey FromSeed(ReadOnlySpan<byte> seed)
    {
        var key = new Ed25519SecretKey();
        SHA512.HashData(seed, key._expanded);
        Ed25519.Clamp(key._expanded.AsSpan(0, 32));
        return key.WithPublicKey();
    }

    /// <summary>From the 64 bytes a | RH.</summary>
    public static Ed25519SecretKey FromExpanded(ReadOnlySpan<byte> expanded)
    {
        var key = new Ed25519SecretKey();
        expanded.CopyTo(key._expanded);
        return key.WithPublicKey();
    }

    /// <summary>Copies a | RH; the copy is the caller's to zero.</summary>
    public void CopyTo(Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _expanded.CopyTo(destination);
    }

    /// <summary>
    /// Its blinded key (rend-spec-v3, A.2): a' = h·a, RH' = SHA512("Derive temporary signing key hash input" | RH)[0:32].
    /// </summary>
    /// <param name="factor">h, 32 bytes, clamped.</param>
    public Ed25519SecretKey Blind(ReadOnlySpan<byte> factor)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        Sodium.Require();
        var blinded = new Ed25519SecretKey();
        fixed (byte* h = factor, a = _expanded, result = blinded._expanded)
            Sodium.MultiplyScalars(result, a, h);

        ReadOnlySpan<byte> label = "Derive temporary signing key hash input"u8;
        Span<byte> hash = stackalloc byte[64];
        Span<byte> input = stackalloc byte[label.Length + 32];
        label.CopyTo(input);
        Prefix.CopyTo(input[label.Length..]);
        SHA512.HashData(input, hash);
        hash[..32].CopyTo(blinded._expanded.AsSpan(32));
        CryptographicOperations.ZeroMemory(hash);
        CryptographicOperations.ZeroMemory(input);
        return blinded.WithPublicKey();
    }

    /// <summary>The signature of a message, 64 bytes (RFC 8032, 5.1.6).</summary>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        Sodium.Require();
        byte[] signature = new byte[Ed25519.SignatureLength];
        byte* wide = stackalloc byte[64];
        byte* nonce = stackalloc byte[32];
        byte* challenge = stackalloc byte[32];
        byte* product = stackalloc byte[32];
        var hash = new Span<byte>(wide, 64);
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
        fixed (byte* signed = signature, scalar = _expanded)
        {
            // r = SHA512(RH | M), R = r·B
            sha.AppendData(Prefix);
            sha.AppendData(message);
            sha.GetHashAndReset(hash);
            Sodium.Reduce(nonce, wide);
            if (Sodium.MultiplyBase(signed, nonce) != 0)
                throw new CryptographicException("a nonce of zero");

            // S = r + SHA512(R | A | M)·a
            Span<byte> key = stackalloc byte[Bytes32.Length];
            PublicKey.CopyTo(key);
            sha.AppendData(signature.AsSpan(0, 32));
            sha.AppendData(key);
            sha.AppendData(message);
            sha.GetHashAndReset(hash);
            Sodium.Reduce(challenge, wide);
            Sodium.MultiplyScalars(product, challenge, scalar);
            Sodium.AddScalars(signed + 32, nonce, product);
        }

        CryptographicOperations.ZeroMemory(hash);
        CryptographicOperations.ZeroMemory(new Span<byte>(nonce, 32));
        CryptographicOperations.ZeroMemory(new Span<byte>(product, 32));
        return signature;
    }

    public void Dispose()
    {
        _isDisposed = true;
        CryptographicOperations.ZeroMemory(_expanded);
    }

    /// <summary>Never the secret.</summary>
    public override string ToString() => $"(secret key of {PublicKey})";

    private Ed25519SecretKey WithPublicKey()
    {
        Sodium.Require();
        byte* point = stackalloc byte[Bytes32.Length];
        fixed (byte* scalar = Scalar)
        {
            if (Sodium.MultiplyBase(point, scalar) != 0)
            {
                Dispose();
                throw new CryptographicException("a secret key of zero");
            }
        }

        PublicKey = new Bytes32(new ReadOnlySpan<byte>(point, Bytes32.Length));
        return this;
    }
}
