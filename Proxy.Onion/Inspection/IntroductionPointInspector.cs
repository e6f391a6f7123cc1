using System.Buffers.Binary;
using System.Net;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;

namespace TorBalancer.Onion.Inspection;

/// <summary>Shows an introduction point (rend-spec-v3, 2.5.2.2) with everything that is wrong with it.</summary>
internal static class IntroductionPointInspector
{
    private const byte Ip4 = 0, Ip6 = 1, RsaIdentity = 2, Ed25519Identity = 3;

    /// <param name="items">From "introduction-point" up to the next one.</param>
    /// <param name="signingKey">The descriptor's; null when it could not be read.</param>
    public static IntroductionPointReport Inspect(ReadOnlySpan<DocumentItem> items, Bytes32? signingKey, DateTimeOffset now)
    {
        var problems = new List<string>();
        var links = Links(items[0].Arguments, problems);
        var authentication = CertificateOf(items, "auth-key", CertificateTypes.IntroductionAuthentication, signingKey, now, problems);
        var encryption = CertificateOf(items, "enc-key-cert", CertificateTypes.IntroductionEncryption, signingKey, now, problems);
        var report = new IntroductionPointReport
        {
            Relay = links.Relay,
            Fingerprint = links.Fingerprint,
            Identity = links.Identity,
            OnionKey = KeyOf(items, "onion-key", problems),
            AuthenticationKey = authentication?.Key.ToString(),
            AuthenticationKeyExpires = ExpirationOf(authentication),
            EncryptionKey = KeyOf(items, "enc-key", problems),
            EncryptionKeyExpires = ExpirationOf(encryption),
            HasLegacyKey = Find(items, "legacy-key") is not null || Find(items, "legacy-key-cert") is not null,
            Problems = problems,
        };
        if (problems.Count == 0 && signingKey is { } key && IntroductionPoint.Read(items, key, now) is null)
            problems.Add("it has a part twice, or one that is broken");
        return report;
    }

    /// <summary>When a certificate expires, of those that hold hours as a number.</summary>
    public static DateTimeOffset? ExpirationOf(Ed25519Certificate? certificate) =>
        certificate is null ? null : DateTimeOffset.UnixEpoch.AddHours(certificate.ExpirationHours);

    private static Ed25519Certificate? CertificateOf(
        ReadOnlySpan<DocumentItem> items, string keyword, byte type, Bytes32? signingKey, DateTimeOffset now, List<string> problems)
    {
        if (Find(items, keyword) is not { } item)
        {
            problems.Add($"it has no {keyword}");
            return null;
        }

        if (item.ObjectOf(Ed25519Certificate.ObjectType) is not { } bytes || Ed25519Certificate.Read(bytes) is not { } certificate)
        {
            problems.Add($"its {keyword} is no certificate");
            return null;
        }

        if (certificate.Type != type)
            problems.Add($"its {keyword} is a certificate of type {certificate.Type}, not {type}");
        if (certificate.HasExpiredAt(now))
            problems.Add($"its {keyword} has expired");
        if (signingKey is { } key && !certificate.IsSignedBy(key))
            problems.Add($"its {keyword} is not signed by the descriptor's signing key");
        return certificate;
    }

    private static string? KeyOf(ReadOnlySpan<DocumentItem> items, string keyword, List<string> problems)
    {
        Span<byte> key = stackalloc byte[Bytes32.Length];
        if (Find(items, keyword) is { } item && item.Arguments.Split(' ') is ["ntor", var text, ..] && Base64Text.TryDecode(text, key))
            return text;
        problems.Add($"it has no {keyword} of the kind ntor");
        return null;
    }

    private static DocumentItem? Find(ReadOnlySpan<DocumentItem> items, string keyword)
    {
        foreach (var item in items)
        {
            if (item.Keyword == keyword)
                return item;
        }

        return null;
    }

    // NSPEC (1), then each: type (1) | length (1) | data.
    private static (string? Relay, string? Fingerprint, string? Identity) Links(string base64, List<string> problems)
    {
        (string? Relay, string? Fingerprint, string? Identity) found = default;
        var rest = (Base64Text.DecodeLines(base64) ?? []).AsSpan();
        int count = rest.IsEmpty ? 0 : rest[0];
        rest = rest.IsEmpty ? rest : rest[1..];
        bool isWhole = count > 0;
        for (; count > 0 && isWhole; count--)
        {
            if (rest.Length < 2 || rest.Length < 2 + rest[1])
            {
                isWhole = false;
                break;
            }

            var data = rest.Slice(2, rest[1]);
            if ((rest[0] == Ip4 && data.Length == 6) || (rest[0] == Ip6 && data.Length == 18 && found.Relay is null))
                found.Relay = new IPEndPoint(new IPAddress(data[..^2]), BinaryPrimitives.ReadUInt16BigEndian(data[^2..])).ToString();
            else if (rest[0] == RsaIdentity && data.Length == 20)
                found.Fingerprint = Convert.ToHexString(data);
            else if (rest[0] == Ed25519Identity && data.Length == Bytes32.Length)
                found.Identity = new Bytes32(data).ToString();
            rest = rest[(2 + rest[1])..];
        }

        if (!isWhole || !rest.IsEmpty)
            problems.Add("its link specifiers are broken");
        return found;
    }
}
