using System.Buffers.Binary;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Descriptors;

/// <summary>What a certificate is for (cert-spec, A.1).</summary>
internal static class CertificateTypes
{
    /// <summary>The blinded key certifies a descriptor's signing key.</summary>
    public const byte DescriptorSigning = 8;

    /// <summary>A descriptor's signing key certifies an introduction point's authentication key.</summary>
    public const byte IntroductionAuthentication = 9;

    /// <summary>A descriptor's signing key certifies an introduction point's encryption key.</summary>
    public const byte IntroductionEncryption = 11;
}

/// <summary>An Ed25519 certificate of version 1 (cert-spec, 2.1).</summary>
internal sealed class Ed25519Certificate
{
    /// <summary>What its object is called in a document.</summary>
    public const string ObjectType = "ED25519 CERT";

    private const byte Version = 1, SignedWithKey = 4, AffectsValidation = 1;

    private const int HeaderLength = 40, ExtensionHeader = 4;

    private readonly byte[] _encoded;

    private Ed25519Certificate(byte[] encoded, Bytes32? signingKey)
    {
        _encoded = encoded;
        SigningKey = signingKey;
    }

    /// <summary>One of <see cref="CertificateTypes"/>, or another.</summary>
    public byte Type => _encoded[1];

    /// <summary>When it expires, in hours since the epoch.</summary>
    public uint ExpirationHours => BinaryPrimitives.ReadUInt32BigEndian(_encoded.AsSpan(2));

    public byte KeyType => _encoded[6];

    /// <summary>The key that is certified.</summary>
    public Bytes32 Key => new(_encoded.AsSpan(7, Bytes32.Length));

    /// <summary>The key that certifies it, when the certificate names it.</summary>
    public Bytes32? SigningKey { get; }

    public ReadOnlySpan<byte> Encoded => _encoded;

    private ReadOnlySpan<byte> Signed => _encoded.AsSpan(0, _encoded.Length - Ed25519.SignatureLength);

    //  0         1      2            6          7     39       40
    //  +---------+------+------------+----------+-----+--------+--- - ---+-----------+
    //  | version | type | expiration | key type | key | n ext. | ext. …  | signature |
    //  +---------+------+------------+----------+-----+--------+--- - ---+-----------+
    //  each extension: length (2) | type (1) | flags (1) | data

    /// <summary>Reads one; null when it is none, or has an extension that decides on its validity and that is not known here.</summary>
    public static Ed25519Certificate? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderLength + Ed25519.SignatureLength || bytes[0] != Version)
            return null;
        Bytes32? signingKey = null;
        var rest = bytes[HeaderLength..^Ed25519.SignatureLength];
        for (int count = bytes[HeaderLength - 1]; count > 0; count--)
        {
            if (rest.Length < ExtensionHeader)
                return null;
            int length = BinaryPrimitives.ReadUInt16BigEndian(rest);
            byte type = rest[2], flags = rest[3];
            if (rest.Length < ExtensionHeader + length)
                return null;
            if (type == SignedWithKey)
            {
                if (length != Bytes32.Length || signingKey is not null)
                    return null;
                signingKey = new Bytes32(rest.Slice(ExtensionHeader, length));
            }
            else if ((flags & AffectsValidation) != 0)
            {
                return null;
            }

            rest = rest[(ExtensionHeader + length)..];
        }

        return rest.IsEmpty ? new Ed25519Certificate(bytes.ToArray(), signingKey) : null;
    }

    /// <summary>Certifies a key, naming the key that does.</summary>
    public static Ed25519Certificate Issue(byte type, uint expirationHours, byte keyType, Bytes32 key, Ed25519SecretKey signer)
    {
        const int signedLength = HeaderLength + ExtensionHeader + Bytes32.Length;
        byte[] encoded = new byte[signedLength + Ed25519.SignatureLength];
        encoded[0] = Version;
        encoded[1] = type;
        BinaryPrimitives.WriteUInt32BigEndian(encoded.AsSpan(2), expirationHours);
        encoded[6] = keyType;
        key.CopyTo(encoded.AsSpan(7));
        encoded[39] = 1;
        BinaryPrimitives.WriteUInt16BigEndian(encoded.AsSpan(40), Bytes32.Length);
        encoded[42] = SignedWithKey;
        signer.PublicKey.CopyTo(encoded.AsSpan(44));
        signer.Sign(encoded.AsSpan(0, signedLength)).CopyTo(encoded, signedLength);
        return new Ed25519Certificate(encoded, signer.PublicKey);
    }

    /// <summary>The same certified key, type and expiration, certified by another key.</summary>
    public Ed25519Certificate ReissueBy(Ed25519SecretKey signer) => Issue(Type, ExpirationHours, KeyType, Key, signer);

    /// <summary>True when this key made it. A certificate that names another key is not its.</summary>
    public bool IsSignedBy(Bytes32 key) =>
        (SigningKey is null || SigningKey == key)
        && Ed25519.Verify(_encoded.AsSpan(_encoded.Length - Ed25519.SignatureLength), Signed, key);

    public bool HasExpiredAt(DateTimeOffset now) => now.ToUnixTimeSeconds() > ExpirationHours * 3600L;
}
