using System.Text.RegularExpressions;
using TorBalancer.Tests.Architecture;

namespace TorBalancer.Tests.Configuration.Schema;

/// <summary>What the pages show of configuration files is taken as it stands there.</summary>
public partial class DocumentationSampleTests
{
    private static readonly HashSet<string> Sections = [.. Loading.Schema.Sections.Select(static section => section.Name)];

    [TestCaseSource(nameof(Samples))]
    public void Sample_is_taken(string page, int line, string text)
    {
        var result = Loading.Text(text);

        // A part of a file may lack what belongs to it, and names files that are not here.
        string wrong = string.Join(
            '\n', result.Errors.Select(static error => error.ToString()).Where(static error => !IsOfThePart().IsMatch(error)));
        Assert.That(wrong, Is.Empty, $"{page}:{line}\n{text}");
    }

    [Test]
    public void Samples_are_found() => Assert.That(Samples().Count(), Is.GreaterThan(20));

    private static IEnumerable<TestCaseData> Samples()
    {
        foreach (string page in Repository.Pages)
        {
            string[] lines = Repository.Text(page).Split('\n');
            for (int i = 0; i < lines.Length; i++)
            {
                if (!IsHead(lines[i]))
                    continue;
                string indent = lines[i][..^lines[i].TrimStart().Length];
                int end = i;
                while (end < lines.Length && lines[end].Length > 0 && lines[end].StartsWith(indent, StringComparison.Ordinal)
                    && !lines[end].StartsWith("```", StringComparison.Ordinal))
                    end++;
                yield return new TestCaseData(
                    page, i + 1, string.Join('\n', lines[i..end].Select(text => text[indent.Length..])) + "\n")
                    .SetArgDisplayNames(page, $"{i + 1}");
                i = end;
            }
        }
    }

    private static bool IsHead(string line) => Head().Match(line) is { Success: true } head && Sections.Contains(head.Groups[1].Value);

    [GeneratedRegex(@"^\s*\[(\w+)(:[^\]]*)?\]\s*(;.*)?$")]
    private static partial Regex Head();

    [GeneratedRegex("does not exist|cannot be read|needs a GeoIP file|has no instance|belongs to no service")]
    private static partial Regex IsOfThePart();
}
