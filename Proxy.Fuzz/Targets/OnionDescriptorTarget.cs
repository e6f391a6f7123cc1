using System.Text;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// Descriptors of onion services. What is signed and encrypted cannot be met by changing bytes, so the layers have targets of their own,
/// which sign and encrypt what they are given with a fixed key.
/// </summary>
internal static class OnionDescriptorTarget
{
    private const ulong Revision = 1000;

    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly TimePeriod Period = new(20_454, 1440);

    private static readonly IdentityKey Identity = IdentityKey.FromSeed(new byte[Ed25519SecretKey.SeedLength]);

    /// <summary>The key that signs descriptors here; the introduction points of the corpus are signed by it.</summary>
    public static readonly Ed25519SecretKey Signer = Ed25519SecretKey.FromSeed("the signer of the fuzzed corpus."u8);

    private static readonly Ed25519SecretKey Blinded = Identity.Blind(Period);

    private static readonly DescriptorLayer Layer =
        new(Blinded.PublicKey, KeyBlinding.Subcredential(Identity.Address, Blinded.PublicKey), Revision);

    private static readonly Ed25519Certificate Certificate = Ed25519Certificate.Issue(
        CertificateTypes.DescriptorSigning, (uint)(Now.ToUnixTimeSeconds() / 3600) + 54, 1, Signer.PublicKey, Blinded);

    /// <summary>A descriptor as a directory gives it.</summary>
    public static void Outside(byte[] input)
    {
        string text = Encoding.Latin1.GetString(input);
        var descriptor = OnionDescriptor.Read(text, Now, out var problem);
        Expect.Same(descriptor is null, problem.Detail is not null, "a descriptor is read, or it is said why not");
        descriptor?.Open(Identity.Address, Now, out _);
        if (DocumentItem.ReadAll(text) is not { } items)
            return;
        int last = -1;
        foreach (var item in items)
        {
            Expect.That(item.Start > last && item.Start < text.Length, "items stand one behind the other");
            Expect.That(text.AsSpan(item.Start).StartsWith(item.Keyword, StringComparison.Ordinal), "an item begins with its keyword");
            Expect.That(item.Object.Length <= text.Length, "an object is no longer than the document");
            last = item.Start;
        }
    }

    /// <summary>The plaintext of the layer that directories cannot read: rightly encrypted and signed, whatever stands in it.</summary>
    public static void OuterLayer(byte[] input)
    {
        // Nothing is encrypted to nothing.
        if (input.Length == 0)
            return;
        var text = new StringBuilder("hs-descriptor 3\ndescriptor-lifetime 180\ndescriptor-signing-key-cert\n");
        DescriptorText.AppendObject(text, Ed25519Certificate.ObjectType, Certificate.Encoded);
        text.Append($"revision-counter {Revision}\nsuperencrypted\n");
        DescriptorText.AppendObject(text, "MESSAGE", Layer.Encrypt(input, DescriptorLayer.Outer));
        byte[] signature = Signer.Sign([.. OnionDescriptor.SignaturePrefix, .. Encoding.ASCII.GetBytes(text.ToString())]);
        text.Append("signature ").Append(Base64Text.Unpadded(signature)).Append('\n');
        var descriptor = OnionDescriptor.Read(text.ToString(), Now, out var problem);
        Expect.That(descriptor is not null, $"what is signed as it should be is read: {problem}");
        var content = descriptor!.Open(Identity.Address, Now, out problem);
        Expect.Same(content is null, problem.Detail is not null, "a layer is read, or it is said why not");
    }

    /// <summary>The plaintext of the innermost layer: introduction points that are read are the same when they are written again.</summary>
    public static void InnerLayer(byte[] input)
    {
        if (DescriptorContent.Read(input, Signer.PublicKey, Now) is not { } content)
            return;
        foreach (var point in content.IntroductionPoints)
        {
            Expect.That(point.Relay.Length > 0, "an introduction point has a relay");
            var text = new StringBuilder("create2-formats 2\n");
            point.AppendTo(text, Signer);
            var again = DescriptorContent.Read(Encoding.ASCII.GetBytes(text.ToString()), Signer.PublicKey, Now);
            Expect.That(again is { IntroductionPoints.Count: 1, UnusableIntroductionPoints: 0 }, "a written introduction point is one");
            var same = again!.IntroductionPoints[0];
            Expect.Same(
                (same.LinkSpecifiers, same.OnionKey, same.EncryptionKey, same.AuthenticationKey.Key, same.EncryptionCertificate.Key),
                (point.LinkSpecifiers, point.OnionKey, point.EncryptionKey, point.AuthenticationKey.Key, point.EncryptionCertificate.Key),
                "an introduction point that is written again is the same");
        }
    }

    /// <summary>A certificate by itself.</summary>
    public static void Certificates(byte[] input)
    {
        if (Ed25519Certificate.Read(input) is not { } certificate)
            return;
        Expect.That(certificate.Encoded.SequenceEqual(input), "a certificate is kept as it was");
        certificate.HasExpiredAt(Now);
        if (certificate.SigningKey is { } key)
            certificate.IsSignedBy(key);
        var again = Ed25519Certificate.Read(certificate.ReissueBy(Signer).Encoded);
        Expect.That(again is not null && again.IsSignedBy(Signer.PublicKey), "a certificate that is made anew is signed");
        Expect.Same(
            (again!.Key, again.Type, again.ExpirationHours, again.KeyType),
            (certificate.Key, certificate.Type, certificate.ExpirationHours, certificate.KeyType), "and certifies the same");
    }
}
