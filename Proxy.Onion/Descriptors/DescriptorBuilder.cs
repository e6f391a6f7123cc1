using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Onion.Descriptors;

/// <summary>
/// Makes descriptors, to the byte in tor's form (rend-spec-v3, 2.4 and 2.5): a balanced service should not be told from others. Each has a
/// signing key of its own, which is zeroed when it is made.
/// </summary>
internal static class DescriptorBuilder
{
    /// <summary>HS_CONFIG_V3_MAX_INTRO_POINTS of tor: its clients refuse a descriptor with more of them as a whole.</summary>
    public const int MaxIntroductionPoints = 20;

    // HS_DESC_CERT_LIFETIME and HS_DESC_DEFAULT_LIFETIME of tor; HS_DESC_SUPERENC_PLAINTEXT_PAD_MULTIPLE; HS_DESC_AUTH_CLIENT_MULTIPLE.
    private const int CertificateHours = 54, LifetimeMinutes = 180, PaddingMultiple = 10_000, Clients = 16;

    private const int ClientIdLength = 8, ClientIvLength = 16, ClientCookieLength = 16;

    /// <summary>Makes one. ArgumentException when it has no introduction points, or some that clients would refuse it for.</summary>
    /// <param name="now">Its certificate expires 54 hours later.</param>
    public static BuiltDescriptor Build(IdentityKey identity, DescriptorDraft draft, DateTimeOffset now)
    {
        if (draft.IntroductionPoints.Count is 0 or > MaxIntroductionPoints)
        {
            throw new ArgumentException(
                $"a descriptor has 1 to {MaxIntroductionPoints} introduction points, not {draft.IntroductionPoints.Count}", nameof(draft));
        }

        if (draft.IntroductionPoints.Any(static point => point.HasLegacyKey))
            throw new ArgumentException("the certificate of a legacy key cannot be made anew", nameof(draft));

        using var blinded = identity.Blind(draft.Period);
        using var signer = Ed25519SecretKey.Generate();
        var layer = new DescriptorLayer(
            blinded.PublicKey, KeyBlinding.Subcredential(identity.Address, blinded.PublicKey), draft.RevisionCounter);
        byte[] inner = layer.Encrypt(Encoding.ASCII.GetBytes(InnerText(draft, signer)), DescriptorLayer.Inner);
        byte[] outer = layer.Encrypt(Pad(OuterText(inner)), DescriptorLayer.Outer);

        uint expiration = (uint)(now.ToUnixTimeSeconds() / 3600) + CertificateHours;
        var certificate = Ed25519Certificate.Issue(CertificateTypes.DescriptorSigning, expiration, 1, signer.PublicKey, blinded);
        var text = new StringBuilder(outer.Length * 3 / 2);
        text.Append("hs-descriptor 3\n");
        text.Append(CultureInfo.InvariantCulture, $"descriptor-lifetime {LifetimeMinutes}\n");
        text.Append("descriptor-signing-key-cert\n");
        DescriptorText.AppendObject(text, Ed25519Certificate.ObjectType, certificate.Encoded);
        text.Append(CultureInfo.InvariantCulture, $"revision-counter {draft.RevisionCounter}\n");
        text.Append("superencrypted\n");
        DescriptorText.AppendObject(text, "MESSAGE", outer);
        byte[] signature = signer.Sign([.. OnionDescriptor.SignaturePrefix, .. Encoding.ASCII.GetBytes(text.ToString())]);
        text.Append("signature ").Append(Base64Text.Unpadded(signature)).Append('\n');
        return new BuiltDescriptor(text.ToString(), blinded.PublicKey, draft.RevisionCounter);
    }

    private static string InnerText(DescriptorDraft draft, Ed25519SecretKey signer)
    {
        var text = new StringBuilder("create2-formats 2\n");
        if (draft.IsSingleOnion)
            text.Append("single-onion-service\n");
        if (draft.FlowControl is { } flowControl)
            text.Append("flow-control ").Append(flowControl).Append('\n');
        foreach (var point in draft.IntroductionPoints)
            point.AppendTo(text, signer);
        return text.ToString();
    }

    // Without client authorization the clients are made up, so that nobody can tell.
    private static string OuterText(ReadOnlySpan<byte> inner)
    {
        Span<byte> key = stackalloc byte[Bytes32.Length];
        X25519.GeneratePublicKey().CopyTo(key);
        var text = new StringBuilder("desc-auth-type x25519\n");
        text.Append("desc-auth-ephemeral-key ").Append(Convert.ToBase64String(key)).Append('\n');
        for (int i = 0; i < Clients; i++)
        {
            text.Append("auth-client ")
                .Append(Base64Text.Unpadded(RandomNumberGenerator.GetBytes(ClientIdLength))).Append(' ')
                .Append(Base64Text.Unpadded(RandomNumberGenerator.GetBytes(ClientIvLength))).Append(' ')
                .Append(Base64Text.Unpadded(RandomNumberGenerator.GetBytes(ClientCookieLength))).Append('\n');
        }

        text.Append("encrypted\n");
        DescriptorText.AppendObject(text, "MESSAGE", inner);

        // This layer's last line has no end.
        return text.ToString(0, text.Length - 1);
    }

    private static byte[] Pad(string text)
    {
        byte[] padded = new byte[(text.Length + PaddingMultiple - 1) / PaddingMultiple * PaddingMultiple];
        Encoding.ASCII.GetBytes(text, padded);
        return padded;
    }
}
