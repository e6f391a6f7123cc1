using System.Text;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Inspection;
using TorBalancer.Onion.Keys;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Inspection;

public class DescriptorInspectorTests
{
    private const int MaxSize = 50_000;

    private static readonly DateTimeOffset Now = OnionVectors.BalancedNow;

    [Test]
    public void Descriptor_of_stem_is_shown_layer_by_layer()
    {
        var (address, text) = Instances.All[1];

        var report = Inspect(text, address);

        var descriptor = Instances.Read(text);
        var content = Instances.Open(address, text);
        Assert.Multiple(() =>
        {
            Assert.That(report.Problems, Is.Empty);
            Assert.That(report.Notes, Has.One.Items.And.One.Contains("tor did not make it"));
            Assert.That(
                (report.Address, report.Size, report.Version, report.LifetimeMinutes, report.RevisionCounter),
                Is.EqualTo((address.ToString(), text.Length, "3", 180, 1001UL)));
            Assert.That(report.BlindedKey, Is.EqualTo(descriptor.BlindedKey.ToString()));
            Assert.That(report.SigningKey, Is.EqualTo(descriptor.SigningCertificate.Key.ToString()));
            Assert.That(report.SigningKeyExpires, Is.InRange(Now.AddHours(53), Now.AddHours(55)));
            Assert.That(
                (report.Period!.Number, report.Period.LengthMinutes), Is.EqualTo((OnionVectors.BalancedPeriod.Number, 1440UL)));
            Assert.That(report.Period.Begins.ToString("u"), Does.EndWith("12:00:00Z"), "periods of the public network begin at noon");
            Assert.That((report.OuterLayer!.AuthenticationType, report.OuterLayer.Clients), Is.EqualTo(("x25519", 16)));
            var inner = report.InnerLayer!;
            Assert.That((inner.Create2Formats, inner.FlowControl, inner.IsSingleOnion), Is.EqualTo(("2", "1-2 31", false)));
            Assert.That(
                inner.IntroductionPoints.Select(static one => (one.OnionKey, one.AuthenticationKey, one.EncryptionKey)),
                Is.EqualTo(content.IntroductionPoints.Select(
                    static one => (one.OnionKey, one.AuthenticationKey.Key.ToString(), one.EncryptionKey))));
            Assert.That(inner.IntroductionPoints.Select(static one => one.Relay), Has.All.Match(@"^\d+\.\d+\.\d+\.\d+:\d+$"));
        });
    }

    [Test]
    public void Everything_that_is_wrong_is_named()
    {
        var (address, text) = Instances.All[0];
        Assert.Multiple(() =>
        {
            Assert.That(Problems("hello", address), Does.Contain("begin with hs-descriptor"));
            Assert.That(
                Problems(text.Replace("lifetime 180", "lifetime 999", StringComparison.Ordinal), address), Does.Contain("lifetime"));
            Assert.That(
                Problems(text.Replace("revision-counter 1000", "revision-counter 1001", StringComparison.Ordinal), address),
                Does.Contain("signature").And.Contain("outer layer is not encrypted"));
            Assert.That(
                Problems(text, Instances.All[1].Address), Does.Contain("is not signed by").And.Contain("not encrypted for this address"));
            Assert.That(
                Problems(text, address, Now.AddDays(3)), Does.Contain("has expired").And.Contain("introduction point 3: its auth-key has"));
            Assert.That(Problems(text, address, Now.AddDays(20)), Does.Contain("another's, or of another time"));
            Assert.That(
                Problems(OnionVectors.Balanced.Text("restricted"), Instances.All[2].Address), Is.EqualTo(
                    "only authorized clients can read it (restricted discovery)"));
            Assert.That(
                string.Join('|', DescriptorInspector.Inspect(text, address, PeriodCandidates.Around(Now), 9000, Now).Problems),
                Does.Contain("refuse 9000 and more"));
        });

        static string Problems(string text, OnionServiceAddress address, DateTimeOffset? now = null) =>
            string.Join('|', Inspect(text, address, now).Problems);
    }

    [Test]
    public void Without_the_address_the_layers_stay_closed()
    {
        var report = DescriptorInspector.Inspect(Instances.All[0].Text, null, PeriodCandidates.Around(Now), MaxSize, Now);

        Assert.That(report.Problems, Is.Empty);
        Assert.That(new object?[] { report.OuterLayer, report.InnerLayer, report.Period }, Has.All.Null);
        Assert.That(report.Notes.Single(), Does.Contain("without the service's address"));
    }

    /// <summary>What Onionbalance publishes for eleven instances.</summary>
    [Test]
    public void More_than_20_introduction_points_are_a_problem()
    {
        using var identity = OnionVectors.BalancedIdentity;
        string inner = "create2-formats 2\n" + Inner(Instances.Make(22));

        var report = Inspect(Forged.Descriptor(identity, inner), identity.Address);

        Assert.That(report.InnerLayer!.IntroductionPoints, Has.Count.EqualTo(22));
        Assert.That(report.Problems, Has.Some.Contains("22 introduction points: tor refuses the whole of it above 20"));
    }

    /// <summary>Valid signatures and layers, and anything within them: what a service could send to a publisher.</summary>
    [Test, CancelAfter(60_000)]
    public void Broken_layers_are_refused_and_shown_and_nothing_throws(CancellationToken token)
    {
        var random = new Random(17);
        var (owner, text) = Instances.All[1];
        var layers = Instances.Layers(owner, text);
        using var identity = OnionVectors.BalancedIdentity;
        int opened = 0;
        for (int i = 0; i < 1500; i++)
        {
            token.ThrowIfCancellationRequested();
            byte[] inner = Change(layers.Inner), outer = Change(layers.Outer);
            string forged = i % 2 == 0
                ? Forged.Descriptor(identity, Encoding.Latin1.GetString(inner))
                : Forged.WithOuterLayer(identity, outer);
            Assert.That(
                () =>
                {
                    opened += Instances.Read(forged).Open(identity.Address, Now, out _) is null ? 0 : 1;
                    Inspect(forged, identity.Address);
                },
                Throws.Nothing, $"change {i}");
        }

        Assert.That(opened, Is.Positive.And.LessThan(1500));

        byte[] Change(byte[] bytes)
        {
            byte[] changed = [.. bytes];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                int at = random.Next(changed.Length);
                changed = random.Next(3) switch
                {
                    0 => [.. changed[..at], (byte)random.Next(256), .. changed[(at + 1)..]],
                    1 => [.. changed[..at], .. changed[Math.Min(changed.Length, at + random.Next(100))..], (byte)'\n'],
                    _ => [.. changed[..at], .. changed[random.Next(at + 1)..at], .. changed[at..]],
                };
            }

            return changed;
        }
    }

    [Test, CancelAfter(60_000)]
    public void Changed_descriptors_are_shown_and_nothing_throws(CancellationToken token)
    {
        var random = new Random(18);
        var (address, text) = Instances.All[0];
        for (int i = 0; i < 1500; i++)
        {
            token.ThrowIfCancellationRequested();
            char[] changed = text[..random.Next(text.Length)].ToCharArray();
            if (i % 2 == 0)
                changed = text.ToCharArray();
            for (int change = random.Next(1, 8); change > 0 && changed.Length > 0; change--)
                changed[random.Next(changed.Length)] = (char)random.Next(256);
            Assert.That(() => Inspect(new string(changed), address), Throws.Nothing, $"change {i}");
        }
    }

    private static DescriptorReport Inspect(string text, OnionServiceAddress address, DateTimeOffset? now = null) =>
        DescriptorInspector.Inspect(text, address, PeriodCandidates.Around(now ?? Now), MaxSize, now ?? Now);

    private static string Inner(IEnumerable<IntroductionPoint> points)
    {
        using var signer = Ed25519SecretKey.Generate();
        var text = new StringBuilder();
        foreach (var point in points)
            point.AppendTo(text, signer);
        return text.ToString();
    }
}
