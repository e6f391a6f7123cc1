using System.Text;
using TorBalancer.Onion.Crypto;

namespace TorBalancer.Onion.Descriptors;

/// <summary>
/// A relay that introduces clients to a service (rend-spec-v3, 2.5.2.2). Link specifiers and keys are kept as they were written: a
/// balanced descriptor repeats them; only the certificates are made anew.
/// </summary>
internal sealed record IntroductionPoint
{
    private const string Ntor = "ntor";

    // In base64: tor's have some 120, with all four kinds. Balanced descriptors repeat them, and must not grow by one instance's.
    private const int LongestSpecifiers = 256;

    /// <summary>Where the relay is, in base64.</summary>
    public required string LinkSpecifiers { get; init; }

    /// <summary>
    /// Which relay it is, as tor's clients tell relays apart: by the fingerprint of the RSA identity. The link specifiers themselves when
    /// they name none.
    /// </summary>
    public string Relay
    {
        get
        {
            const byte rsaIdentity = 2;
            if (Base64Text.DecodeLines(LinkSpecifiers) is not { Length: > 0 } bytes)
                return LinkSpecifiers;
            var rest = bytes.AsSpan(1);
            while (rest.Length > 2 && rest.Length >= 2 + rest[1])
            {
                if (rest[0] == rsaIdentity)
                    return Convert.ToHexString(rest.Slice(2, rest[1]));
                rest = rest[(2 + rest[1])..];
            }

            return LinkSpecifiers;
        }
    }

    /// <summary>The relay's ntor key, in base64.</summary>
    public required string OnionKey { get; init; }

    /// <summary>Certifies the key by which the relay knows the service's circuit.</summary>
    public required Ed25519Certificate AuthenticationKey { get; init; }

    /// <summary>The key that introductions are encrypted with, in base64.</summary>
    public required string EncryptionKey { get; init; }

    /// <summary>Certifies that key, in its Ed25519 form.</summary>
    public required Ed25519Certificate EncryptionCertificate { get; init; }

    /// <summary>
    /// True for relays of old, with an RSA key. The certificate of that cannot be made anew, so a balanced descriptor leaves it out.
    /// </summary>
    public required bool HasLegacyKey { get; init; }

    /// <summary>
    /// Reads one, and judges it as tor's clients do: certificates of the right kind, signed by the descriptor's key, not expired.
    /// </summary>
    /// <param name="items">From "introduction-point" up to the next one.</param>
    /// <param name="signingKey">The descriptor's signing key.</param>
    public static IntroductionPoint? Read(ReadOnlySpan<DocumentItem> items, Bytes32 signingKey, DateTimeOffset now)
    {
        string? specifiers = null, onionKey = null, encryptionKey = null;
        Ed25519Certificate? authentication = null, encryption = null;
        bool hasLegacyKey = false;
        foreach (var item in items)
        {
            switch (item.Keyword)
            {
                case "introduction-point":
                    specifiers = item.Arguments;
                    break;
                case "onion-key":
                    onionKey ??= KeyOf(item);
                    break;
                case "auth-key" when authentication is null:
                    authentication = CertificateOf(item, CertificateTypes.IntroductionAuthentication);
                    break;
                case "enc-key" when encryptionKey is null:
                    encryptionKey = KeyOf(item);
                    break;
                case "enc-key-cert" when encryption is null:
                    encryption = CertificateOf(item, CertificateTypes.IntroductionEncryption);
                    break;
                case "auth-key" or "enc-key" or "enc-key-cert":
                    return null;
                case "legacy-key" or "legacy-key-cert":
                    hasLegacyKey = true;
                    break;
            }
        }

        if (specifiers is null || onionKey is null || encryptionKey is null || !AreLinkSpecifiers(specifiers)
            || authentication is null || encryption is null
            || authentication.HasExpiredAt(now) || encryption.HasExpiredAt(now)
            || !authentication.IsSignedBy(signingKey) || !encryption.IsSignedBy(signingKey))
            return null;
        return new IntroductionPoint
        {
            LinkSpecifiers = specifiers,
            OnionKey = onionKey,
            AuthenticationKey = authentication,
            EncryptionKey = encryptionKey,
            EncryptionCertificate = encryption,
            HasLegacyKey = hasLegacyKey,
        };
    }

    /// <summary>Writes it for a descriptor with another signing key, as tor does.</summary>
    public void AppendTo(StringBuilder text, Ed25519SecretKey signer)
    {
        text.Append("introduction-point ").Append(LinkSpecifiers).Append('\n');
        text.Append("onion-key ntor ").Append(OnionKey).Append('\n');
        text.Append("auth-key\n");
        DescriptorText.AppendObject(text, Ed25519Certificate.ObjectType, AuthenticationKey.ReissueBy(signer).Encoded);
        text.Append("enc-key ntor ").Append(EncryptionKey).Append('\n');
        text.Append("enc-key-cert\n");
        DescriptorText.AppendObject(text, Ed25519Certificate.ObjectType, EncryptionCertificate.ReissueBy(signer).Encoded);
    }

    // "ntor" SP key; other kinds of key may stand beside it one day.
    private static string? KeyOf(DocumentItem item)
    {
        Span<byte> key = stackalloc byte[Bytes32.Length];
        string[] words = item.Arguments.Split(' ');
        return words.Length >= 2 && words[0] == Ntor && Base64Text.TryDecode(words[1], key) ? words[1] : null;
    }

    private static Ed25519Certificate? CertificateOf(DocumentItem item, byte type) =>
        item.ObjectOf(Ed25519Certificate.ObjectType) is { } bytes
        && Ed25519Certificate.Read(bytes) is { } certificate
        && certificate.Type == type
            ? certificate
            : null;

    // NSPEC (1), then each: type (1) | length (1) | data. Types that nobody knows are passed on (tor-spec, EXTEND2).
    private static bool AreLinkSpecifiers(string base64)
    {
        if (base64.Length > LongestSpecifiers || base64.AsSpan().ContainsAny(" \t\r"))
            return false;
        if (Base64Text.DecodeLines(base64) is not { Length: > 0 } bytes || bytes[0] == 0)
            return false;
        var rest = bytes.AsSpan(1);
        for (int count = bytes[0]; count > 0; count--)
        {
            if (rest.Length < 2 || rest.Length < 2 + rest[1])
                return false;
            rest = rest[(2 + rest[1])..];
        }

        return rest.IsEmpty;
    }
}
