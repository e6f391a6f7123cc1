using TorBalancer.Balancing;
using TorBalancer.Configuration.Schema;
using TorBalancer.Daemon;
using TorBalancer.Daemon.Commands;
using TorBalancer.Daemon.Manual;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>torbalancer manual: the pages are whole, and both programs that show manual pages take them without a complaint.</summary>
public class ManualCommandTests
{
    private static readonly CommandOutline Outline = CommandOutline.Of(Program.CreateRootCommand());

    private static readonly ConfigurationSchema Schema = new(SelectionPolicyNames.All);

    [TestCase("1", ".TH \"TORBALANCER\" \"1\"")]
    [TestCase("5", ".TH \"TORBALANCER.CONF\" \"5\"")]
    public async Task Manual_prints_the_page_of_the_section(string section, string expected)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };

        int code = await Program.RunAsync(["manual", section], output, error);

        Assert.That((code, error.ToString()), Is.EqualTo((0, "")));
        Assert.That(output.ToString(), Does.StartWith(expected));
    }

    [Test]
    public async Task Manual_of_another_section_is_2()
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };

        Assert.That(await Program.RunAsync(["manual", "8"], output, error), Is.EqualTo(2));
    }

    [TestCase("1"), TestCase("5"), CancelAfter(60_000)]
    public async Task Page_has_nothing_that_mandoc_or_groff_complains_of(string section, CancellationToken token)
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Page(section), token);
            var mandoc = await ProgramRun.RunAsync(ClientProcess.Require("mandoc"), ["-T", "lint", "-W", "warning", file], token);
            var groff = await ProgramRun.RunAsync(ClientProcess.Require("groff"), ["-man", "-ww", "-z", file], token);

            Assert.That((mandoc.ExitCode, mandoc.Output + mandoc.Error), Is.EqualTo((0, "")));
            Assert.That((groff.ExitCode, groff.Output + groff.Error), Is.EqualTo((0, "")));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test, CancelAfter(60_000)]
    public async Task Page_of_the_program_shows_every_command_and_option(CancellationToken token)
    {
        string text = await ReadAsync("1", token);

        Assert.Multiple(() =>
        {
            foreach (var command in Outline.All)
            {
                Assert.That(text, Does.Contain($"torbalancer {command.Path}".Trim()));
                foreach (string spelling in command.Options.SelectMany(static option => option.Spellings))
                    Assert.That(text, Does.Contain(spelling), command.Path);
            }
        });
    }

    /// <summary>A page that only names what is to be typed sends its reader back to --help.</summary>
    [Test, CancelAfter(60_000)]
    public async Task Page_of_the_program_says_what_each_argument_is_and_which_words_it_takes(CancellationToken token)
    {
        string text = Flat(await ReadAsync("1", token));

        Assert.Multiple(() =>
        {
            foreach (var command in Outline.All)
            {
                foreach (var argument in command.Arguments)
                {
                    string meaning = argument.Description.Replace("…", "...", StringComparison.Ordinal);
                    Assert.That(text, Does.Contain($"{argument.Name} {meaning}"), command.Path);
                }

                var values = command.Options.Select(static option => option.Value).OfType<ValueOutline>().Concat(command.Arguments);
                foreach (var value in values.Where(static value => value.Words.Count > 0))
                    Assert.That(text, Does.Contain($"{value.Name} is one of {string.Join(", ", value.Words)}."), command.Path);
            }
        });
    }

    [Test, CancelAfter(60_000)]
    public async Task Page_of_the_configuration_shows_every_key_with_its_default(CancellationToken token)
    {
        string text = await ReadAsync("5", token);

        Assert.Multiple(() =>
        {
            foreach (var section in Schema.Sections)
            {
                string heading = $"\n[{section.Header}]\n";
                Assert.That(text, Does.Contain(heading));
                string rest = text[(text.IndexOf(heading, StringComparison.Ordinal) + heading.Length)..];
                string own = rest.Split("\n[", 2)[0];
                foreach (var key in section.Keys)
                {
                    Assert.That(own, Does.Match($@"\n +{key.Name}\b"), section.Name);
                    if (key.Default.Length > 0)
                        Assert.That(Flat(own), Does.Contain($"Default: {key.Default}."), $"{section.Name}:{key.Name}");
                }
            }
        });
    }

    private static string Page(string section) => section == "1"
        ? CommandPage.Write(Outline, "1.2.3", "2026-01-31").ToString()
        : ConfigurationPage.Write(Schema, "1.2.3", "2026-01-31").ToString();

    /// <summary>The page as a reader sees it.</summary>
    private static async Task<string> ReadAsync(string section, CancellationToken token)
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Page(section), token);
            var shown = await ProgramRun.RunAsync(
                ClientProcess.Require("mandoc"), ["-T", "ascii", "-O", "width=200", file], token);
            Assert.That(shown.ExitCode, Is.Zero, shown.Error);

            // Bold is a letter over itself there.
            return System.Text.RegularExpressions.Regex.Replace(shown.Output, ".\b", "");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Flat(string text) => string.Join(' ', text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
}
