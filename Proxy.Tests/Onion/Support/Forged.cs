using System.Text;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Tests.Onion.Support;

/// <summary>Descriptors that are signed and encrypted as they should be, around anything.</summary>
internal static class Forged
{
    private const ulong Revision = 1000;

    /// <summary>With this inner layer, its introduction points signed by whoever made them.</summary>
    public static string Descriptor(IdentityKey identity, string inner)
    {
        var layer = LayerOf(identity);
        byte[] encrypted = layer.Encrypt(Encoding.Latin1.GetBytes(inner), DescriptorLayer.Inner);
        var outer = new StringBuilder("desc-auth-type x25519\ndesc-auth-ephemeral-key x\nencrypted\n");
        DescriptorText.AppendObject(outer, "MESSAGE", encrypted);
        return WithOuterLayer(identity, Encoding.Latin1.GetBytes(outer.ToString()));
    }

    /// <summary>With this plaintext in its outer layer.</summary>
    public static string WithOuterLayer(IdentityKey identity, byte[] outer)
    {
        using var blinded = identity.Blind(OnionVectors.BalancedPeriod);
        using var signer = Ed25519SecretKey.Generate();
        uint expiration = (uint)(OnionVectors.BalancedNow.ToUnixTimeSeconds() / 3600) + 54;
        var certificate = Ed25519Certificate.Issue(CertificateTypes.DescriptorSigning, expiration, 1, signer.PublicKey, blinded);
        var text = new StringBuilder("hs-descriptor 3\ndescriptor-lifetime 180\ndescriptor-signing-key-cert\n");
        DescriptorText.AppendObject(text, Ed25519Certificate.ObjectType, certificate.Encoded);
        text.Append($"revision-counter {Revision}\nsuperencrypted\n");
        DescriptorText.AppendObject(text, "MESSAGE", LayerOf(identity).Encrypt(outer, DescriptorLayer.Outer));
        byte[] signature = signer.Sign([.. OnionDescriptor.SignaturePrefix, .. Encoding.ASCII.GetBytes(text.ToString())]);
        return text.Append("signature ").Append(Base64Text.Unpadded(signature)).Append('\n').ToString();
    }

    private static DescriptorLayer LayerOf(IdentityKey identity)
    {
        using var blinded = identity.Blind(OnionVectors.BalancedPeriod);
        return new DescriptorLayer(blinded.PublicKey, KeyBlinding.Subcredential(identity.Address, blinded.PublicKey), Revision);
    }
}
