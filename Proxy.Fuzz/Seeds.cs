using System.Text;
using TorBalancer.Fuzz.Targets;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Fuzz;

/// <summary>First inputs that nobody can write by hand: descriptors and certificates, signed with the keys of the targets.</summary>
internal static class Seeds
{
    private const uint Hours = 60;

    /// <summary>Writes them into the folders of their targets.</summary>
    public static void Write(string folder)
    {
        var signer = OnionDescriptorTarget.Signer;
        uint expiration = (uint)(OnionDescriptorTarget.Now.ToUnixTimeSeconds() / 3600) + Hours;
        var authentication = Ed25519Certificate.Issue(CertificateTypes.IntroductionAuthentication, expiration, 1, Key(1), signer);
        var encryption = Ed25519Certificate.Issue(CertificateTypes.IntroductionEncryption, expiration, 1, Key(2), signer);
        var point = new IntroductionPoint
        {
            LinkSpecifiers = Convert.ToBase64String([2, 0, 6, 192, 0, 2, 7, 0x23, 0x29, 2, 20, .. Enumerable.Repeat((byte)7, 20)]),
            OnionKey = Convert.ToBase64String(Enumerable.Repeat((byte)3, 32).ToArray()),
            AuthenticationKey = authentication,
            EncryptionKey = Convert.ToBase64String(Enumerable.Repeat((byte)4, 32).ToArray()),
            EncryptionCertificate = encryption,
            HasLegacyKey = false,
        };

        var inner = new StringBuilder("create2-formats 2\nsingle-onion-service\nflow-control 1-2 31\n");
        point.AppendTo(inner, signer);
        Put(folder, "onion-inner", "one-point", Encoding.ASCII.GetBytes(inner.ToString()));
        point.AppendTo(inner, signer);
        inner.Append("introduction-point AgAGwAACByMp\nonion-key ntor x\nlegacy-key\n");
        Put(folder, "onion-inner", "points-and-legacy", Encoding.ASCII.GetBytes(inner.ToString()));
        Put(folder, "onion-certificate", "authentication", authentication.Encoded.ToArray());
        Put(folder, "onion-certificate", "encryption", encryption.Encoded.ToArray());

        var outer = new StringBuilder("desc-auth-type x25519\ndesc-auth-ephemeral-key x\nauth-client a b c\nencrypted\n");
        DescriptorText.AppendObject(outer, "MESSAGE", new byte[64]);
        Put(folder, "onion-outer", "not-for-us", Encoding.ASCII.GetBytes(outer.ToString()));
        using var identity = IdentityKey.FromSeed(new byte[Ed25519SecretKey.SeedLength]);
        var draft = new DescriptorDraft { Period = new TimePeriod(20_454, 1440), RevisionCounter = 7, IntroductionPoints = [point] };
        string text = DescriptorBuilder.Build(identity, draft, OnionDescriptorTarget.Now).Text;
        Put(folder, "onion-descriptor", "whole", Encoding.ASCII.GetBytes(text));
    }

    private static Bytes32 Key(byte seed)
    {
        using var key = Ed25519SecretKey.FromSeed(Enumerable.Repeat(seed, Ed25519SecretKey.SeedLength).ToArray());
        return key.PublicKey;
    }

    private static void Put(string folder, string target, string name, byte[] bytes)
    {
        string path = Path.Combine(folder, target);
        Directory.CreateDirectory(path);
        File.WriteAllBytes(Path.Combine(path, name), bytes);
    }
}
