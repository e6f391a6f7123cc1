using System.Text;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Descriptors;

public class OnionDescriptorTests
{
    private static readonly DateTimeOffset Now = OnionVectors.BalancedNow;

    [TestCase(0, null)]
    [TestCase(1, "1-2 31")]
    [TestCase(2, "1-2 31")]
    public void Read_and_Open_find_what_stem_wrote(int instance, string? flowControl)
    {
        var (address, text) = Instances.All[instance];
        var vector = OnionVectors.Balanced["instances"]![instance]!;

        var descriptor = Instances.Read(text);
        var content = Instances.Open(address, text);

        Assert.Multiple(() =>
        {
            Assert.That(descriptor.RevisionCounter, Is.EqualTo((ulong)(1000 + instance)));
            Assert.That(descriptor.LifetimeMinutes, Is.EqualTo(180));
            Assert.That(descriptor.BlindedKey, Is.EqualTo(KeyBlinding.BlindedKey(address, OnionVectors.BalancedPeriod)));
            Assert.That(
                Convert.ToBase64String(descriptor.SigningCertificate.Encoded),
                Is.EqualTo(vector.Text("certificate").Replace("\n", "", StringComparison.Ordinal)));
            Assert.That(
                (content.Create2Formats, content.FlowControl, content.IsSingleOnion, content.ProofOfWork),
                Is.EqualTo(("2", flowControl, false, (string?)null)));
            Assert.That(content.UnusableIntroductionPoints, Is.Zero);
            Assert.That(content.IntroductionPoints, Has.Count.EqualTo(3));
            string inner = vector.Text("inner");
            foreach (var point in content.IntroductionPoints)
            {
                Assert.That(
                    inner, Does.Contain($"introduction-point {point.LinkSpecifiers}\nonion-key ntor {point.OnionKey}\nauth-key\n"));
                Assert.That(inner, Does.Contain($"enc-key ntor {point.EncryptionKey}\nenc-key-cert\n"));
                Assert.That(point.AuthenticationKey.Key, Is.EqualTo(point.EncryptionCertificate.Key), "stem certifies one key twice");
            }
        });
    }

    [Test]
    public void PeriodOf_knows_whose_and_of_which_period_it_is()
    {
        var (address, text) = Instances.All[0];
        var period = OnionVectors.BalancedPeriod;
        var descriptor = Instances.Read(text);

        Assert.That(descriptor.PeriodOf(address, [period.Previous, period, period.Next]), Is.EqualTo(period));
        Assert.That(descriptor.PeriodOf(address, [period.Previous, period.Next]), Is.Null);
        Assert.That(descriptor.PeriodOf(Instances.All[1].Address, [period.Previous, period, period.Next]), Is.Null);
    }

    [Test]
    public void Descriptors_that_cannot_be_used_are_told_apart()
    {
        var (address, text) = Instances.All[0];
        Assert.Multiple(() =>
        {
            Assert.That(Fault(Changed("revision-counter 1000", "revision-counter 1001")), Is.EqualTo(DescriptorFault.BadSignature));
            Assert.That(Fault(Changed("hs-descriptor 3", "hs-descriptor 4")), Is.EqualTo(DescriptorFault.Malformed));
            Assert.That(Fault(Changed("descriptor-lifetime 180", "descriptor-lifetime 721")), Is.EqualTo(DescriptorFault.Malformed));
            Assert.That(Fault(Changed("revision-counter", "x")), Is.EqualTo(DescriptorFault.Malformed));
            Assert.That(Fault("revision-counter 5\n" + text), Is.EqualTo(DescriptorFault.Malformed));
            Assert.That(Fault(text, Now.AddHours(55)), Is.EqualTo(DescriptorFault.Expired));
            Assert.That(Fault(text, Now.AddHours(53)), Is.Null);

            Assert.That(OpenFault(Instances.All[1].Address, text), Is.EqualTo(DescriptorFault.WrongService));
            string restricted = OnionVectors.Balanced.Text("restricted");
            Assert.That(OpenFault(Instances.All[2].Address, restricted), Is.EqualTo(DescriptorFault.Restricted));
        });

        string Changed(string old, string made) => text.Replace(old, made, StringComparison.Ordinal);

        static DescriptorFault? Fault(string text, DateTimeOffset? now = null) =>
            OnionDescriptor.Read(text, now ?? Now, out var problem) is null ? problem.Fault : null;

        static DescriptorFault? OpenFault(OnionServiceAddress address, string text) =>
            Instances.Read(text).Open(address, Now, out var problem) is null ? problem.Fault : null;
    }

    /// <summary>Another key that the HSDir made: it is signed, but with nobody's blinded key. Only the period tells.</summary>
    [Test]
    public void A_descriptor_of_another_service_is_not_taken_for_the_one_that_was_asked_for()
    {
        using var mallory = IdentityKey.FromSeed(new byte[32]);
        var draft = new DescriptorDraft
        {
            Period = OnionVectors.BalancedPeriod,
            RevisionCounter = 9,
            IntroductionPoints = Instances.Chosen,
        };
        string text = DescriptorBuilder.Build(mallory, draft, Now).Text;

        Assert.That(Instances.Read(text).PeriodOf(Instances.All[0].Address, [OnionVectors.BalancedPeriod]), Is.Null);
    }

    [Test]
    public void Introduction_points_that_clients_would_refuse_are_left_out_and_counted()
    {
        // Each certificate in the vectors expires at another hour, the last of this instance 22 hours on.
        var (address, text) = Instances.All[0];
        int[] hours = [0, 20, 21, 22, 23];
        var usable = hours.Select(later => Instances.Read(text).Open(address, Now.AddHours(later), out _)!.IntroductionPoints.Count);
        Assert.That(usable, Is.EqualTo(new[] { 3, 2, 1, 0, 0 }).Or.EqualTo(new[] { 3, 3, 2, 1, 0 }));

        // Read with another descriptor's key, nothing of it is signed.
        byte[] inner = Instances.Layers(address, text).Inner;
        var other = Instances.Read(Instances.All[1].Text).SigningCertificate.Key;
        var content = DescriptorContent.Read(inner, other, Now)!;
        Assert.That((content.IntroductionPoints.Count, content.UnusableIntroductionPoints), Is.EqualTo((0, 3)));
    }

    /// <summary>Balanced descriptors repeat link specifiers as they are: one instance must not fill them.</summary>
    [Test]
    public void Oversized_link_specifiers_are_left_out()
    {
        var (address, text) = Instances.All[0];
        string inner = Encoding.ASCII.GetString(Instances.Layers(address, text).Inner);
        var key = Instances.Read(text).SigningCertificate.Key;
        string written = Instances.Open(address, text).IntroductionPoints[0].LinkSpecifiers;
        string[] made = [written + new string('\t', 8), Convert.ToBase64String([1, 99, 255, .. new byte[255]])];
        foreach (string one in made)
        {
            int at = inner.IndexOf(written, StringComparison.Ordinal);
            string changed = inner[..at] + one + inner[(at + written.Length)..];
            var content = DescriptorContent.Read(Encoding.ASCII.GetBytes(changed), key, Now)!;
            Assert.That((content.IntroductionPoints.Count, content.UnusableIntroductionPoints), Is.EqualTo((2, 1)));
        }
    }

    [Test]
    public void Legacy_keys_are_seen()
    {
        var (address, text) = Instances.All[0];
        string inner = Encoding.ASCII.GetString(Instances.Layers(address, text).Inner);
        string legacy = inner + "\nlegacy-key\n-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n";

        var content = DescriptorContent.Read(Encoding.ASCII.GetBytes(legacy), Instances.Read(text).SigningCertificate.Key, Now)!;

        Assert.That(content.IntroductionPoints.Select(static point => point.HasLegacyKey), Is.EqualTo(new[] { false, false, true }));
    }

    [Test]
    public void Every_cut_is_refused()
    {
        string text = Instances.All[0].Text.TrimEnd('\n');
        for (int length = 0; length < text.Length - 1; length += length is > 600 and < 13_000 ? 97 : 1)
            Assert.That(OnionDescriptor.Read(text[..length], Now, out _), Is.Null, $"cut at {length}");
    }

    /// <summary>A fixed seed: each run tries the same 2,000 changes of a document, and 4,000 of what signatures protect.</summary>
    [Test, CancelAfter(60_000)]
    public void Changed_bytes_are_refused_and_nothing_throws(CancellationToken token)
    {
        var random = new Random(17);
        var (address, text) = Instances.All[1];
        byte[] inner = Instances.Layers(address, text).Inner;
        byte[] certificate = [.. Instances.Read(text).SigningCertificate.Encoded];
        var signingKey = Instances.Read(text).SigningCertificate.Key;
        for (int i = 0; i < 2000; i++)
        {
            token.ThrowIfCancellationRequested();
            string changed = Encoding.Latin1.GetString(Change(Encoding.Latin1.GetBytes(text)));
            if (OnionDescriptor.Read(changed, Now, out _) is { } read)
            {
                // Base64 has more than one spelling of the signature's last bits; all that it covers is as it was.
                int signature = text.LastIndexOf("signature ", StringComparison.Ordinal);
                Assert.That(changed[..signature], Is.EqualTo(text[..signature]));
                Assert.That(read.Open(address, Now, out _), Is.Not.Null);
            }

            var content = DescriptorContent.Read(Change([.. inner]), signingKey, Now);
            Assert.That(content?.IntroductionPoints.Count ?? 0, Is.LessThanOrEqualTo(3));
            var one = Ed25519Certificate.Read(Change([.. certificate]));
            if (one is not null && !one.Encoded.SequenceEqual(certificate))
                Assert.That(one.SigningKey is { } key && one.IsSignedBy(key), Is.False);
        }

        byte[] Change(byte[] bytes)
        {
            switch (random.Next(4))
            {
                case 0:
                    bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                    return bytes;
                case 1:
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                    return bytes;
                case 2:
                    int from = random.Next(bytes.Length), to = random.Next(from, bytes.Length);
                    return [.. bytes[..from], .. bytes[to..]];
                default:
                    int at = random.Next(bytes.Length), length = random.Next(Math.Min(200, bytes.Length - at));
                    return [.. bytes[..at], .. bytes[at..(at + length)], .. bytes[at..]];
            }
        }
    }
}
