using System.Text;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Tests.Onion.Support;

/// <summary>Descriptors to work with: those of the vectors, opened, and parts of them.</summary>
internal static class Instances
{
    /// <summary>The instances' descriptors, as text with their address.</summary>
    public static IReadOnlyList<(OnionServiceAddress Address, string Text)> All { get; } =
    [
        .. OnionVectors.Balanced["instances"]!.AsArray()
            .Select(static one => (OnionVectors.Address(one!.Text("address")), one!.Text("text"))),
    ];

    /// <summary>The first two introduction points of each, as the script gives them to onionbalance.</summary>
    public static IReadOnlyList<IntroductionPoint> Chosen =>
        [.. All.SelectMany(static one => Open(one.Address, one.Text).IntroductionPoints.Take(2))];

    public static OnionDescriptor Read(string text) =>
        OnionDescriptor.Read(text, OnionVectors.BalancedNow, out var problem) ?? throw new ArgumentException(problem.Detail);

    public static DescriptorContent Open(OnionServiceAddress address, string text) =>
        Read(text).Open(address, OnionVectors.BalancedNow, out var problem) ?? throw new ArgumentException(problem.Detail);

    /// <summary>The plaintexts of both layers.</summary>
    public static (byte[] Outer, byte[] Inner) Layers(OnionServiceAddress address, string text)
    {
        var descriptor = Read(text);
        var layer = new DescriptorLayer(
            descriptor.BlindedKey, KeyBlinding.Subcredential(address, descriptor.BlindedKey), descriptor.RevisionCounter);
        byte[] outer = layer.Decrypt(Object(text, "superencrypted"), DescriptorLayer.Outer)!;
        string outerText = Encoding.ASCII.GetString(outer.AsSpan().TrimEnd((byte)0));
        return (outer, layer.Decrypt(Object(outerText, "encrypted"), DescriptorLayer.Inner)!);
    }

    /// <summary>As many introduction points as are wanted, each with other keys, signed by the given key.</summary>
    public static IReadOnlyList<IntroductionPoint> Make(int count)
    {
        using var signer = Ed25519SecretKey.Generate();
        var like = Chosen[0];
        return
        [
            .. Enumerable.Range(0, count).Select(_ => like with
            {
                AuthenticationKey = Ed25519Certificate.Issue(9, like.AuthenticationKey.ExpirationHours, 1, Key(), signer),
                EncryptionCertificate = Ed25519Certificate.Issue(11, like.AuthenticationKey.ExpirationHours, 1, Key(), signer),
            }),
        ];

        static Bytes32 Key()
        {
            using var key = Ed25519SecretKey.Generate();
            return key.PublicKey;
        }
    }

    private static byte[] Object(string text, string keyword) => DocumentItem.ReadAll(text)!.Single(item => item.Keyword == keyword).Object;
}
