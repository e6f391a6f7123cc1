using System.Text;
using TorBalancer.Onion.Importing;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Importing;

public class OnionbalanceReaderTests
{
    private static readonly string First = Instances.All[0].Address.ToString(), Second = Instances.All[1].Address.ToString();

    private static readonly string Text = $"""
        # Onionbalance Config File
        status-socket-location: run/status.sock
        services:
        - instances:
          - address: {First}
            name: node1
          - {"{"}address: "{Second[..^6]}"{"}"}
          key: shop.key
        - key: /etc/onionbalance/other.key
          instances: [ {"{"} address: {First}, name: null {"}"} ]
        """;

    [Test]
    public void Read_takes_what_Onionbalance_does()
    {
        var read = Read(Text, out string errors, out string warnings);

        Assert.That((errors, warnings), Is.EqualTo(("", "")));
        Assert.That(read!.StatusSocket, Is.EqualTo("/etc/onionbalance/run/status.sock"));
        Assert.That(
            read.Services.Select(static one => (one.Key, one.Line)),
            Is.EqualTo(new[] { ("/etc/onionbalance/shop.key", 4), ("/etc/onionbalance/other.key", 9) }), "relative to the file");
        Assert.That(
            read.Services.Select(static one => string.Join(' ', one.Instances.Select(static i => $"{i.Name ?? "-"}:{i.Address}"))),
            Is.EqualTo(new[] { $"node1:{First} -:{Second}", $"-:{First}" }));
    }

    [Test]
    public void Anchors_are_followed()
    {
        var read = Read(
            $"all: &all\n- address: {First}\nservices:\n- key: a\n  instances: *all\n- key: b\n  instances: *all\n",
            out string errors, out _);

        Assert.That(errors, Is.Empty);
        Assert.That(read!.Services.Select(static one => one.Instances.Count), Is.EqualTo(new[] { 1, 1 }));
    }

    [Test]
    public void Everything_that_is_wrong_is_said_with_its_line()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Errors(""), Is.EqualTo("1 there are no services: is this a configuration of Onionbalance?"));
            Assert.That(Errors("services: {}"), Does.StartWith("1 services is no list"));
            Assert.That(Errors("services:\n- 5"), Does.StartWith("2 a service is a mapping"));
            Assert.That(
                Errors("services:\n- key: [a]\n- instances: []\n  key:\n"),
                Is.EqualTo(
                    "2 key is no plain text|2 a service has no instances|3 instances is no list, or an empty one|3 a service has no key"));
            Assert.That(
                Errors("services:\n- key: \"a\\0b\"\n  instances: [1]"),
                Does.Contain("2 key is no path").And.Contain("3 an instance is"));
            Assert.That(Instance("<Enter the instance onion address here>"), Does.Contain("hostname file"));
            Assert.That(Instance("expyuzz4wqqyqhjn.onion"), Does.Contain("version 2 is gone"));
            Assert.That(Instance($"{First[..5]}{(First[5] == 'a' ? 'b' : 'a')}{First[6..]}"), Does.Contain("checksum"));
            Assert.That(Instance($"{First}}}, {{address: {First}"), Does.Contain("is given twice"));
            Assert.That(Errors("services: &x [*x]"), Does.Contain("*x is not known here"));
            Assert.That(Errors("services: !!python/object:os.system []"), Does.Contain("the tag"));
            Assert.That(Errors("a: 1\na: 2\n"), Is.EqualTo("2 not YAML: a is given twice"));
            Assert.That(Errors("a: &a {}\nb:\n  <<: *a\n"), Does.Contain("merge keys"));
            Assert.That(Errors("a: 1\n---\nb: 2\n"), Does.Contain("second document"));
            Assert.That(Errors("services: [\n"), Does.StartWith("2 not YAML"));
            Assert.That(Errors(new string('[', 5000)), Does.Contain("nested more than"));
            Assert.That(Errors($"services: [{string.Concat(Enumerable.Repeat("1,", 60_000))}]"), Does.Contain("more than 50000"));
            Assert.That(Errors(new string(' ', (1 << 20) + 1)), Does.Contain("longer than"));
        });

        static string Errors(string text)
        {
            Assert.That(Read(text, out string errors, out _), Is.Null);
            return errors;
        }

        static string Instance(string address) => Errors($"services:\n- key: a\n  instances: [{{address: {address}}}]");
    }

    /// <summary>Each alias is one entry of the file, and what it stands for could be a thousand.</summary>
    [Test]
    public void Aliases_do_not_multiply_without_end()
    {
        var text = new StringBuilder("services:\n- &s\n  key: a\n  instances: &all\n");
        for (int i = 0; i < 200; i++)
            text.Append("  - {}\n");
        for (int i = 0; i < 5000; i++)
            text.Append("- *s\n");

        Assert.That(Read(text.ToString(), out string errors, out _), Is.Null);
        Assert.That(errors.Split('|'), Has.Length.LessThan(20_000).And.Some.Contains("more than 10000 instances"));
    }

    [Test]
    public void What_has_no_counterpart_is_told()
    {
        string text = Text.Replace("services:", "refresh-interval: 600\nservices:", StringComparison.Ordinal);
        var read = Read(text, out _, out string warnings);

        Assert.That(read, Is.Not.Null);
        Assert.That(warnings, Is.EqualTo("3 refresh-interval has no counterpart and is left out"));
    }

    /// <summary>A fixed seed: each run tries the same documents.</summary>
    [Test, CancelAfter(60_000)]
    public void Any_text_is_read_or_refused_and_nothing_throws(CancellationToken token)
    {
        const string alphabet = "-:,[]{}&*!|>'\"%@`#?\t\n \0~<=ab1\\xU\u00a0\ufeff\ud800é";
        var random = new Random(17);
        int read = 0;
        for (int i = 0; i < 5000; i++)
        {
            token.ThrowIfCancellationRequested();
            char[] text = Text[..random.Next(Text.Length)].ToCharArray();
            for (int change = random.Next(12); change > 0 && text.Length > 0; change--)
                text[random.Next(text.Length)] = alphabet[random.Next(alphabet.Length)];
            string document = i % 5 == 0
                ? string.Concat(Enumerable.Range(0, random.Next(80)).Select(_ => alphabet[random.Next(alphabet.Length)]))
                : new string(text);

            Assert.That(() => read += Read(document, out _, out _) is null ? 0 : 1, Throws.Nothing, document);
        }

        Assert.That(read, Is.Positive.And.LessThan(5000));
    }

    private static OnionbalanceConfiguration? Read(string text, out string errors, out string warnings)
    {
        var read = OnionbalanceReader.Read(text, "/etc/onionbalance", out var wrong, out var unused);
        errors = Join(wrong);
        warnings = Join(unused);
        return read;
    }

    private static string Join(IEnumerable<ImportProblem> problems) =>
        string.Join('|', problems.Select(static one => $"{one.Line} {one.Message}"));
}
