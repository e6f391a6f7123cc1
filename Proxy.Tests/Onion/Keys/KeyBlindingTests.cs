using System.Text.Json.Nodes;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Keys;

public class KeyBlindingTests
{
    private static IEnumerable<TestCaseData> Vectors => OnionVectors.All["blinding"]!.AsArray().Select(
        static one => new TestCaseData(one).SetArgDisplayNames(one!.Period().ToString()));

    [TestCaseSource(nameof(Vectors))]
    public void Keys_of_both_forms_blind_and_sign_as_stem_does(JsonNode vector)
    {
        using var seeded = IdentityKey.FromSeed(vector.Bytes("seed"));
        using var expanded = IdentityKey.FromExpanded(vector.Bytes("expanded"));
        foreach (var key in new[] { seeded, expanded })
        {
            using var blinded = key.Blind(vector.Period());

            Assert.That(key.PublicKey, Is.EqualTo(vector.Bytes32("publicKey")));
            Assert.That(key.Address.ToString(), Is.EqualTo(vector.Text("address")));
            Assert.That(blinded.PublicKey, Is.EqualTo(vector.Bytes32("blindedKey")));
            Assert.That(Convert.ToHexStringLower(blinded.Sign(vector.Bytes("message"))), Is.EqualTo(vector.Text("signature")));
        }
    }

    [TestCaseSource(nameof(Vectors))]
    public void Public_keys_blind_without_the_secret(JsonNode vector)
    {
        var address = OnionVectors.Address(vector.Text("address"));

        Assert.That(KeyBlinding.BlindedKey(address, vector.Period()), Is.EqualTo(vector.Bytes32("blindedKey")));
        Assert.That(
            KeyBlinding.Subcredential(address, vector.Bytes32("blindedKey")), Is.EqualTo(vector.Bytes32("subcredential")));
    }

    [TestCaseSource(nameof(Vectors))]
    public void Signatures_are_those_of_OpenSSL_and_a_changed_bit_is_seen(JsonNode vector)
    {
        using var key = Ed25519SecretKey.FromSeed(vector.Bytes("seed"));
        byte[] message = vector.Bytes("message"), signature = key.Sign(message);
        Assert.That(Convert.ToHexStringLower(signature), Is.EqualTo(vector.Text("plainSignature")));
        Assert.That(Ed25519.Verify(signature, message, key.PublicKey), Is.True);

        for (int at = 0; at < signature.Length; at++)
        {
            signature[at] ^= 1;
            Assert.That(Ed25519.Verify(signature, message, key.PublicKey), Is.False, $"byte {at} of the signature");
            signature[at] ^= 1;
        }

        message[0] ^= 1;
        Assert.That(Ed25519.Verify(signature, message, key.PublicKey), Is.False, "the message");
        Assert.That(Ed25519.Verify(signature.AsSpan(1), message, key.PublicKey), Is.False, "a short signature");
    }

    /// <summary>The identity of the group, and a point of order 8: an address made of one could stand for several services.</summary>
    [TestCase("0100000000000000000000000000000000000000000000000000000000000000")]
    [TestCase("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    [TestCase("0200000000000000000000000000000000000000000000000000000000000000")]
    public void Keys_that_are_no_points_of_the_group_have_no_blinded_key(string key) =>
        Assert.That(
            KeyBlinding.BlindedKey(new OnionServiceAddress(new Bytes32(Convert.FromHexString(key))), new TimePeriod(20000, 1440)), Is.Null);

    [Test]
    public void Dispose_zeroes_the_key()
    {
        var key = Ed25519SecretKey.Generate();
        key.Dispose();
        Assert.That(() => key.Sign([1]), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(key.ToString(), Does.Not.Contain(Convert.ToHexStringLower(new byte[32])).And.Contain(key.PublicKey.ToString()));
    }
}
