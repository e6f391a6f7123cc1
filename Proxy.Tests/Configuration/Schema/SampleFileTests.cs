using System.Text.RegularExpressions;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Schema;

/// <summary>torbalancer.conf and docs/configuration.md say what the table of keys says.</summary>
public partial class SampleFileTests
{
    private static readonly string Sample = File.ReadAllText(InRepository("torbalancer.conf"));

    /// <summary>
    /// The user's section, the rule's and the onion service's are examples too: a user whom no listener knows is warned of, a rule that
    /// says nothing is an error, and so is a keyless service.
    /// </summary>
    private static string WithoutRule
    {
        get
        {
            string text = Sample[..Sample.IndexOf(";[OnionService:", StringComparison.Ordinal)];
            text = text[..text.IndexOf(";[User:", StringComparison.Ordinal)] + text[text.IndexOf("[Admin]\n", StringComparison.Ordinal)..];
            return text[..text.IndexOf(";[Rule:", StringComparison.Ordinal)] + text[text.IndexOf("[Log]\n", StringComparison.Ordinal)..];
        }
    }

    [Test]
    public void Sample_as_it_is_equals_the_defaults()
    {
        var result = Loading.Text(Sample);

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        Assert.That(Loading.Dump(result.Options), Is.EqualTo(Loading.Dump(Loading.Sources().Options)));
    }

    [Test]
    public void Sample_with_all_keys_taken_in_equals_the_defaults()
    {
        // The worker's section is an example: without its header its keys would land in another section.
        string beforeWorkers = WithoutRule[..WithoutRule.IndexOf(";[Worker:", StringComparison.Ordinal)];
        string afterWorkers = WithoutRule[WithoutRule.IndexOf("[ManagedWorkers]\n", StringComparison.Ordinal)..];

        var result = Loading.Text(Uncomment(beforeWorkers + afterWorkers));

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        Assert.That(Loading.Dump(result.Options), Is.EqualTo(Loading.Dump(new TorBalancerOptions
        {
            Listeners = { new ListenerOptions { Name = "main" } },

            // The one thing that taking a default in changes: an address that is named must be had.
            Admin = { IsAddressConfigured = true },
        })));
    }

    [Test]
    public void Sample_with_the_worker_taken_in_has_a_worker_of_defaults()
    {
        var result = Loading.Text(Uncomment(WithoutRule));

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        var defaults = new WorkerOptions { Name = "worker-01", Address = System.Net.IPAddress.Loopback };
        Assert.That(Loading.Dump(result.Options.Workers.Single()), Is.EqualTo(Loading.Dump(defaults)));
    }

    [Test]
    public void Sample_has_every_key_at_its_default_and_no_other()
    {
        var issues = new ConfigurationIssues();
        var sections = ConfFile.Parse(Uncomment(Sample), "torbalancer.conf", issues, new NoAdvice());
        var inSample = sections
            .SelectMany(section => section.Entries.Select(entry => $"{section.Name.Split(':')[0]}:{entry.Key} = {entry.Value}"));
        var inSchema = Loading.Schema.Sections
            .SelectMany(section => section.Keys.Select(key => $"{section.Name}:{key.Name} = {key.Default}"));

        Assert.That(issues.Errors(), Is.Empty);
        Assert.That(inSample, Is.EqualTo(inSchema));
    }

    [Test]
    public void Sample_names_every_mode() => Assert.Multiple(() =>
    {
        foreach (string mode in SelectionPolicyNames.All)
            Assert.That(Sample, Does.Match($@"(?m)^# {mode} "));
    });

    [Test]
    public void Docs_tables_are_those_of_the_schema()
    {
        string path = InRepository("docs/configuration.md");
        string text = File.ReadAllText(path);
        string expected = SchemaTables.Insert(text, Loading.Schema);

        // UPDATE_DOCS=1 writes the tables anew after a key has changed.
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            File.WriteAllText(path, expected);
        else
            Assert.That(text, Is.EqualTo(expected));
    }

    [Test]
    public void Docs_name_every_key_and_section() => Assert.Multiple(() =>
    {
        string text = File.ReadAllText(InRepository("docs/configuration.md"));
        foreach (var section in Loading.Schema.Sections)
        {
            Assert.That(text, Does.Contain($"[{section.Name}"));
            foreach (var key in section.Keys)
                Assert.That(text, Does.Contain($"| `{key.Name}` |"));
        }
    });

    private static string Uncomment(string text) => CommentedLine().Replace(text, "$1");

    [GeneratedRegex(@"^;(\[|\w+ =)", RegexOptions.Multiline)]
    private static partial Regex CommentedLine();

    private static string InRepository(string path)
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "TorBalancer.sln")))
                return Path.Combine(directory.FullName, path);
        }

        throw new DirectoryNotFoundException("The tests run below the repository's root.");
    }
}
