using System.Text;
using CsCheck;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Onion.Descriptors;

public class DescriptorPropertyTests
{
    private static readonly Gen<byte[]> Seed = Gen.Byte.Array[Ed25519SecretKey.SeedLength];

    [Test]
    public void Descriptor_that_is_made_is_the_same_when_it_is_opened() =>
        Gen.Select(Seed, Gen.Int[1, DescriptorBuilder.MaxIntroductionPoints], Gen.ULong[1, 1_000_000], Gen.ULong, Gen.Bool)
            .Holds(
                static one =>
                {
                    var (seed, count, period, revision, isSingleOnion) = one;
                    using var identity = IdentityKey.FromSeed(seed);
                    var points = Instances.Make(count);
                    var draft = new DescriptorDraft
                    {
                        Period = new TimePeriod(period, 1440),
                        RevisionCounter = revision,
                        IntroductionPoints = points,
                        FlowControl = "1-2 31",
                        IsSingleOnion = isSingleOnion,
                    };
                    var now = OnionVectors.BalancedNow;
                    var read = OnionDescriptor.Read(DescriptorBuilder.Build(identity, draft, now).Text, now, out _);
                    var content = read?.Open(identity.Address, now, out _);
                    return content is not null && read!.RevisionCounter == revision && content.IsSingleOnion == isSingleOnion
                        && read.PeriodOf(identity.Address, [draft.Period.Previous, draft.Period]) == draft.Period
                        && content.FlowControl == draft.FlowControl && content.UnusableIntroductionPoints == 0
                        && content.IntroductionPoints.Select(Shown).SequenceEqual(points.Select(Shown));
                },
                iterations: 40);

    [Test]
    public void Layer_that_is_encrypted_is_the_same_when_it_is_decrypted() =>
        Gen.Select(Seed, Seed, Gen.ULong, Gen.Byte.Array[1, 500], Gen.Int[0, 10_000]).Holds(static one =>
        {
            var (key, credential, revision, text, at) = one;
            var layer = new DescriptorLayer(new Bytes32(key), new Bytes32(credential), revision);
            byte[] encrypted = layer.Encrypt(text, DescriptorLayer.Inner);
            bool isSame = layer.Decrypt(encrypted, DescriptorLayer.Inner)?.AsSpan().SequenceEqual(text) == true;
            bool isOther = layer.Decrypt(encrypted, DescriptorLayer.Outer) is not null
                || (layer with { RevisionCounter = revision + 1 }).Decrypt(encrypted, DescriptorLayer.Inner) is not null;
            encrypted[at % encrypted.Length] ^= 1;
            return isSame && !isOther && layer.Decrypt(encrypted, DescriptorLayer.Inner) is null;
        });

    [Test]
    public void Certificate_that_is_issued_is_the_same_when_it_is_read() =>
        Gen.Select(Seed, Seed, Gen.Byte, Gen.Byte, Gen.UInt, Gen.Int[0, 10_000]).Holds(
            static one =>
            {
                var (seed, key, type, keyType, expiration, at) = one;
                using var signer = Ed25519SecretKey.FromSeed(seed);
                byte[] encoded = Ed25519Certificate.Issue(type, expiration, keyType, new Bytes32(key), signer).Encoded.ToArray();
                var read = Ed25519Certificate.Read(encoded);
                bool isSame = read is not null && read.IsSignedBy(signer.PublicKey) && read.SigningKey == signer.PublicKey
                    && (read.Type, read.KeyType, read.ExpirationHours, read.Key) == (type, keyType, expiration, new Bytes32(key));
                encoded[at % encoded.Length] ^= 1;
                return isSame && Ed25519Certificate.Read(encoded)?.IsSignedBy(signer.PublicKey) != true;
            },
            iterations: 200);

    [Test]
    public void Objects_of_a_document_are_the_same_when_they_are_read() =>
        Gen.Select(Properties.Label, Gen.Byte.Array[0, 300]).Array[1, 6].Holds(static objects =>
        {
            var text = new StringBuilder();
            foreach (var (keyword, bytes) in objects)
            {
                text.Append(keyword).Append(" a b\n");
                DescriptorText.AppendObject(text, "MESSAGE", bytes);
            }

            return DocumentItem.ReadAll(text.ToString()) is { } items && items.Count == objects.Length
                && items.Zip(objects).All(static pair => pair.First.Keyword == pair.Second.Item1 && pair.First.Arguments == "a b"
                    && pair.First.ObjectOf("MESSAGE")!.AsSpan().SequenceEqual(pair.Second.Item2));
        });

    [Test]
    public void Base64_is_the_same_with_and_without_padding() => Gen.Byte.Array[0, 100].Holds(static bytes =>
    {
        byte[] padded = new byte[bytes.Length], unpadded = new byte[bytes.Length];
        return Base64Text.TryDecode(Convert.ToBase64String(bytes), padded) && padded.AsSpan().SequenceEqual(bytes)
            && Base64Text.TryDecode(Base64Text.Unpadded(bytes), unpadded) && unpadded.AsSpan().SequenceEqual(bytes);
    });

    private static (string, string, string, Bytes32, Bytes32) Shown(IntroductionPoint point) => (
        point.LinkSpecifiers, point.OnionKey, point.EncryptionKey, point.AuthenticationKey.Key, point.EncryptionCertificate.Key);
}
