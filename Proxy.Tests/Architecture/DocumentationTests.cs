using System.CommandLine;
using System.Text.RegularExpressions;
using TorBalancer.Balancing;
using TorBalancer.Daemon;

namespace TorBalancer.Tests.Architecture;

/// <summary>What the pages say about files, commands and words is so.</summary>
public partial class DocumentationTests
{
    private static readonly string AllPages = string.Join('\n', Repository.Pages.Select(Repository.Text));

    [Test]
    public void Relative_links_lead_to_files_and_headings() => Assert.Multiple(() =>
    {
        foreach (string page in Repository.Pages)
        {
            foreach (Match link in Link().Matches(Repository.Text(page)))
            {
                string target = link.Groups[1].Value;
                if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal))
                    continue;
                string[] parts = target.Split('#', 2);
                string path = parts[0].Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, parts[0]);
                string full = Path.Combine(Repository.Root, path);
                bool exists = File.Exists(full) || Directory.Exists(full);
                Assert.That(exists, Is.True, $"{page} links to {target}");
                if (exists && parts.Length == 2)
                    Assert.That(AnchorsOf(full), Does.Contain(parts[1]), $"{page} links to {target}");
            }
        }
    });

    [Test]
    public void Every_page_is_linked_from_the_readme()
    {
        string readme = Repository.Text("README.md");

        foreach (string page in Repository.Pages.Where(static page => page.StartsWith("docs/", StringComparison.Ordinal)))
            Assert.That(readme, Does.Contain($"]({page})"));
    }

    [Test]
    public void Every_command_is_named() => Assert.Multiple(() =>
    {
        foreach (string command in CommandsOf(Program.CreateRootCommand(), "torbalancer"))
            Assert.That(AllPages, Does.Contain(command));
    });

    [Test]
    public void Every_mode_has_its_heading()
    {
        string page = Repository.Text("docs/balancing.md");

        foreach (string mode in SelectionPolicyNames.All)
            Assert.That(page, Does.Contain($"\n### {mode}\n"));
    }

    private static IEnumerable<string> CommandsOf(Command command, string path) =>
        command.Subcommands.Where(static sub => !sub.Hidden)
            .SelectMany(sub => CommandsOf(sub, $"{path} {sub.Name}").Prepend($"{path} {sub.Name}"));

    /// <summary>Headings as GitHub turns them into anchors.</summary>
    private static IEnumerable<string> AnchorsOf(string path) => File.ReadLines(path)
        .Where(static line => line.StartsWith('#'))
        .Select(static line => NotInAnchor().Replace(line.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'));

    [GeneratedRegex(@"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();
}
