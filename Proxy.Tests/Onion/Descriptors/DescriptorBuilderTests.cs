using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TorBalancer.Onion.Descriptors;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Onion.Support;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Onion.Descriptors;

public partial class DescriptorBuilderTests
{
    private const int Padding = 10_000;

    private static readonly DateTimeOffset Now = OnionVectors.BalancedNow;

    private static readonly OnionServiceAddress Address = OnionVectors.Address(OnionVectors.Balanced.Text("address"));

    /// <summary>From the same key, consensus, time and introduction points; random is only what must be.</summary>
    [Test]
    public void Descriptor_is_onionbalances_field_by_field()
    {
        string theirs = OnionVectors.Balanced["onionbalance"]!.Text("text");
        string ours = BuildBalanced().Text;
        var (our, their) = (Instances.Read(ours), Instances.Read(theirs));

        Assert.That(
            (our.BlindedKey, our.RevisionCounter, our.LifetimeMinutes),
            Is.EqualTo((their.BlindedKey, their.RevisionCounter, their.LifetimeMinutes)));
        Assert.That(
            (our.SigningCertificate.ExpirationHours, our.SigningCertificate.KeyType),
            Is.EqualTo((their.SigningCertificate.ExpirationHours, their.SigningCertificate.KeyType)));
        Assert.That(our.RevisionCounter.ToString(), Is.EqualTo(OnionVectors.Balanced["onionbalance"]!.Text("revisionCounter")));

        // Line by line: the outer text without its two big numbers, and the inner one with certificates by what they certify.
        Assert.That(Outline(ours), Is.EqualTo(Outline(theirs)));
        string[] outer = OuterOutline(theirs), inner = InnerLines(theirs);
        Assert.That(OuterOutline(ours), Is.EqualTo(outer));
        Assert.That(InnerLines(ours), Is.EqualTo(inner));
        Assert.That(inner, Has.Length.EqualTo(1 + (6 * 7)));
    }

    /// <summary>The differences that are meant: padding, and what the inner layer says of the service.</summary>
    [Test]
    public void Padding_and_capabilities_are_tors_where_onionbalances_are_not()
    {
        string theirs = OnionVectors.Balanced["onionbalance"]!.Text("text");
        Assert.That(Instances.Layers(Address, theirs).Outer.Length % Padding, Is.Not.Zero, "theirs: len % 10000 zeros more");
        Assert.That(Instances.Open(Address, theirs).FlowControl, Is.Null);

        string ours = BuildBalanced("1-2 31", isSingleOnion: true).Text;
        var (outer, inner) = Instances.Layers(Address, ours);

        Assert.That(outer.Length % Padding, Is.Zero);
        Assert.That(
            Encoding.ASCII.GetString(inner),
            Does.StartWith("create2-formats 2\nsingle-onion-service\nflow-control 1-2 31\nintroduction-point "));
        var content = Instances.Open(Address, ours);
        Assert.That((content.IsSingleOnion, content.FlowControl), Is.EqualTo((true, "1-2 31")));
        Assert.That(ours, Does.EndWith("\n").And.Match(@"\nsignature [A-Za-z0-9+/]{86}\n$"));
        Assert.That(ours.Split('\n').Max(static line => line.Length), Is.LessThanOrEqualTo("signature ".Length + 86));
    }

    [Test]
    public void Certificates_of_introduction_points_are_made_anew_and_else_unchanged()
    {
        var before = Instances.Chosen;
        string text = BuildBalanced().Text;
        var key = Instances.Read(text).SigningCertificate.Key;

        var after = Instances.Open(Address, text).IntroductionPoints;

        Assert.That(after, Has.Count.EqualTo(before.Count));
        for (int i = 0; i < after.Count; i++)
        {
            var pairs = new[]
            {
                (before[i].AuthenticationKey, after[i].AuthenticationKey),
                (before[i].EncryptionCertificate, after[i].EncryptionCertificate),
            };
            foreach (var (old, made) in pairs)
            {
                Assert.That(
                    (made.Type, made.ExpirationHours, made.KeyType, made.Key),
                    Is.EqualTo((old.Type, old.ExpirationHours, old.KeyType, old.Key)));
                Assert.That(made.SigningKey, Is.EqualTo(key).And.Not.EqualTo(old.SigningKey));
            }
        }
    }

    [TestCase(1)]
    [TestCase(20)]
    public void Up_to_20_introduction_points_fit_what_directories_take(int count)
    {
        string text = Build(Instances.Make(count)).Text;

        Assert.That(text, Has.Length.LessThan(50_000));
        Assert.That(Instances.Open(Address, text).IntroductionPoints, Has.Count.EqualTo(count));
    }

    [Test]
    public void Descriptors_that_clients_would_refuse_are_not_made()
    {
        var points = Instances.Make(21);

        Assert.That(() => Build(points), Throws.ArgumentException.With.Message.Contains("1 to 20 introduction points, not 21"));
        Assert.That(() => Build([]), Throws.ArgumentException);
        Assert.That(() => Build([points[0] with { HasLegacyKey = true }]), Throws.ArgumentException.With.Message.Contains("legacy"));
    }

    [Test]
    public void Each_descriptor_has_keys_salts_and_clients_of_its_own()
    {
        string[] texts = [BuildBalanced().Text, BuildBalanced().Text];

        Assert.That(texts.Select(static text => Instances.Read(text).SigningCertificate.Key).Distinct().Count(), Is.EqualTo(2));
        Assert.That(texts.Select(static text => text.Split("superencrypted")[1]).Distinct().Count(), Is.EqualTo(2));
        string[] lines = [.. texts.SelectMany(static text => Encoding.ASCII.GetString(Instances.Layers(Address, text).Outer).Split('\n'))];
        foreach (var (keyword, count) in new[] { ("auth-client ", 32), ("desc-auth-ephemeral-key ", 2) })
        {
            string[] found = [.. lines.Where(line => line.StartsWith(keyword, StringComparison.Ordinal))];
            Assert.That(found, Has.Length.EqualTo(count).And.Unique, keyword);
        }
    }

    [TestCase(1)]
    [TestCase(20)]
    [CancelAfter(60_000)]
    public async Task Stem_verifies_and_decrypts_it(int count, CancellationToken token)
    {
        const string python = "/usr/bin/python3";
        var check = File.Exists(python) ? await ClientProcess.RunAsync(python, ["-c", "import stem"], token) : null;
        if (check?.ExitCode != 0)
            Assert.Ignore("skipped: python3-stem is not installed");
        var points = Instances.Make(count);
        var built = Build(points, "1-2 31");
        var input = new JsonObject { ["address"] = Address.ToString(), ["text"] = built.Text };

        var result = await ClientProcess.RunAsync(
            python, [Path.Combine(Repository.Root, "Proxy.Tests/Onion/Vectors/read-descriptor.py")], token,
            input: Encoding.UTF8.GetBytes(input.ToJsonString()));

        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var found = JsonNode.Parse(result.Output)!;
        Assert.Multiple(() =>
        {
            Assert.That(found.Bytes32("blindedKey"), Is.EqualTo(built.BlindedKey));
            Assert.That(found.Text("revisionCounter"), Is.EqualTo(built.RevisionCounter.ToString()));
            Assert.That((found["lifetime"]!.GetValue<int>(), found["clients"]!.GetValue<int>()), Is.EqualTo((180, 16)));
            Assert.That(found["formats"]!.ToJsonString(), Is.EqualTo("[2]"));
            Assert.That(found.Text("inner"), Does.Contain("\nflow-control 1-2 31\n"));
            Assert.That(
                found["points"]!.AsArray().Select(
                    static one => (one!.Text("onionKey"), one!.Text("encryptionKey"), one!.Bytes32("authenticationKey"))),
                Is.EqualTo(points.Select(static one => (one.OnionKey, one.EncryptionKey, one.AuthenticationKey.Key))));
            Assert.That(
                found["points"]!.AsArray().Select(static one => one!.Text("signedBy")).Distinct(),
                Is.EqualTo(new[] { found.Text("signingKey") }));
        });
    }

    private static BuiltDescriptor BuildBalanced(string? flowControl = null, bool isSingleOnion = false) =>
        Build(Instances.Chosen, flowControl, isSingleOnion);

    private static BuiltDescriptor Build(IReadOnlyList<IntroductionPoint> points, string? flowControl = null, bool isSingleOnion = false)
    {
        var micro = Microdescriptors.Read(OnionVectors.Balanced.Text("microdescriptors"));
        Assert.That(ConsensusReader.TryRead(OnionVectors.Balanced.Text("consensus"), micro, out var consensus, out _), Is.True);
        var term = new PeriodSchedule(consensus!, isTestingNetwork: false).Term(DescriptorOrder.First);
        using var identity = OnionVectors.BalancedIdentity;
        return DescriptorBuilder.Build(
            identity,
            new DescriptorDraft
            {
                Period = term.Period,
                RevisionCounter = RevisionCounter.At(identity, term.RunStart, Now),
                IntroductionPoints = points,
                FlowControl = flowControl,
                IsSingleOnion = isSingleOnion,
            },
            Now);
    }

    // Lines of base64, which differ, and their number, which the padding changes, become one.
    private static string[] Outline(string text) =>
    [
        .. Lines().Replace(text.TrimEnd('\n'), "…\n").Split('\n')
            .Select(static line => line.StartsWith("signature ", StringComparison.Ordinal) ? line.Length.ToString() : line),
    ];

    private static string[] OuterOutline(string text) =>
    [
        .. Lines().Replace(Encoding.ASCII.GetString(Instances.Layers(Address, text).Outer).TrimEnd('\0'), "…\n").Split('\n')
            .Select(static line => line.Split(' ').Select(static (word, i) => i == 0 || word is "x25519" ? word : word.Length.ToString()))
            .Select(static words => string.Join(' ', words)),
    ];

    private static string[] InnerLines(string text) =>
    [
        .. Object().Replace(
            Encoding.ASCII.GetString(Instances.Layers(Address, text).Inner).TrimEnd('\n'),
            static match =>
            {
                var one = Ed25519Certificate.Read(Convert.FromBase64String(match.Groups[1].Value))!;
                return $"{one.Type} {one.ExpirationHours} {one.KeyType} {one.Key} {one.Encoded.Length}";
            }).Split('\n'),
    ];

    [GeneratedRegex(@"(?:^[A-Za-z0-9+/=]{1,64}\n){1,}(?=-----END)", RegexOptions.Multiline)]
    private static partial Regex Lines();

    [GeneratedRegex(@"-----BEGIN ED25519 CERT-----\n([^-]*)-----END ED25519 CERT-----")]
    private static partial Regex Object();
}
