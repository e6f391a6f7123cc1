namespace TorBalancer.Tests.Architecture;

/// <summary>Rules that hold for every file.</summary>
public class SourceTests
{
    private const int LongestFile = 400;

    // The analyzer keeps these out of Core, Daemon and Testnet; here the tests and benchmarks are held to the same.
    private static readonly (string Pattern, string Instead)[] Banned =
    [
        (@"\bSystem\.Net\.Dns\b|(?<![\w.])Dns\.(Get|Resolve|Begin|End)\w*", "nothing: no name is resolved in this process"),
        (@"\bDateTime(Offset)?\.(Utc)?Now\b", "TimeProvider"),
        (@"\bThread\.Sleep\b", "a TimeProvider delay"),
        (@"\.ConfigureAwait\((true|false)\)", "nothing: there is no synchronization context"),
        (@"\bcatch \([\w.]+ (?!failure\b)\w+\)", "the name 'failure'"),
    ];

    [Test]
    public void Namespaces_match_their_folders() => Assert.Multiple(() =>
    {
        foreach (var file in Repository.Sources)
        {
            var namespaces = file.Code.Split('\n').Where(static line => line.StartsWith("namespace ", StringComparison.Ordinal));
            Assert.That(namespaces, Is.EqualTo([$"namespace {file.ExpectedNamespace};"]), file.ToString());
        }
    });

    [Test]
    public void No_file_is_too_long_to_be_read() =>
        Assert.That(
            Repository.Sources.Where(static file => file.LineCount > LongestFile).Select(static file => $"{file}: {file.LineCount} lines"),
            Is.Empty);

    /// <summary>As .editorconfig says (max_line_length), which editors read and no compiler does.</summary>
    [Test]
    public void No_line_is_too_wide_to_be_read()
    {
        int widest = Repository.MaxLineLength;
        Assert.That(widest, Is.Positive);
        Assert.That(
            Repository.Sources.SelectMany(file =>
                file.LinesOfCode.Where(line => line.Text.Length > widest).Select(line => $"{file}:{line.Number}")),
            Is.Empty);
    }

    [Test]
    public void Banned_things_are_nowhere() => Assert.Multiple(() =>
    {
        foreach (var file in Repository.Sources)
        {
            foreach (var (pattern, instead) in Banned)
                Assert.That(file.Code, Does.Not.Match(pattern), $"{file}: use {instead}");
        }
    });

    [TestCase("Proxy.Core")]
    [TestCase("Proxy.Onion")]
    [TestCase("Proxy.Daemon")]
    [TestCase("Proxy.Testnet")]
    public void Product_is_built_with_the_list_of_banned_symbols(string project)
    {
        string text = Repository.Text($"{project}/{project}.csproj");

        Assert.That(text, Does.Contain("Microsoft.CodeAnalysis.BannedApiAnalyzers"));
        Assert.That(text, Does.Contain("""<AdditionalFiles Include="../BannedSymbols.txt" />"""));
        Assert.That(text, Does.Contain("<IsAotCompatible>true</IsAotCompatible>"));
    }
}
