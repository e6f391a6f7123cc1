using System.Text;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Fuzz.Targets;

/// <summary>A configuration file, and behind a record separator (1E) the text of every other file that it names.</summary>
internal static class ConfigurationTarget
{
    private const byte RecordSeparator = 0x1E;

    public static void Check(byte[] input)
    {
        int separator = Array.IndexOf(input, RecordSeparator);
        byte[] file = separator < 0 ? input : input[..separator], other = separator < 0 ? [] : input[(separator + 1)..];
        if (!ConfEncoding.TryDecode(file, out string text, out string problem))
        {
            Expect.That(problem.Length > 0, "what is no text is said to be none");
            return;
        }

        var result = Load(text, other);
        var again = Load(text, other);
        Expect.Same(Shown(again), Shown(result), "a configuration says the same each time");
        foreach (var issue in result.Errors.Concat(result.Warnings))
        {
            Expect.That(issue.Message.Length > 0, "an issue says what is wrong");

            // Line ends would break the one line of a message, and controls steer a terminal.
            Expect.That(!issue.Message.Any(char.IsControl), $"an issue can be shown in a terminal: {Printed(issue.Message)}");
        }

        Expect.That(result.Effective.Count > 0, "what holds can be shown");
        CheckWrittenAgain(text);
    }

    /// <summary>Sections and entries, written down again, are the same.</summary>
    private static void CheckWrittenAgain(string text)
    {
        var issues = new ConfigurationIssues();
        var sections = ConfFile.Parse(text, "t.conf", issues, new NoAdvice());
        if (issues.Errors().Count > 0)
            return;
        var written = new StringBuilder();
        foreach (var section in sections)
        {
            written.Append('[').Append(section.Name).Append("]\n");
            foreach (var entry in section.Entries)
                written.Append(entry.Key).Append(" = ").Append(entry.IsQuoted ? $"\"{entry.Value}\"" : entry.Value).Append('\n');
        }

        var again = ConfFile.Parse(written.ToString(), "t.conf", issues, new NoAdvice());
        Expect.Same(Shown(again), Shown(sections), "a configuration that is written down again is the same");
        Expect.That(issues.Errors().Count == 0, "a configuration that is written down again has no mistakes");
    }

    private static string Shown(IReadOnlyList<ConfSection> sections) => string.Join('\n', sections.Select(static section =>
        $"[{section.Name}]\n{string.Join('\n', section.Entries.Select(static entry => $"{entry.Key}={entry.IsQuoted}{entry.Value}"))}"));

    private static string Shown(ConfigurationResult result) => string.Join('\n', result.Errors.Concat(result.Warnings));

    private static string Printed(string message) =>
        string.Concat(message.Select(static c => char.IsControl(c) ? $"<{(int)c:X2}>" : $"{c}"));

    private static ConfigurationResult Load(string text, byte[] other) => ConfigurationLoader.Load(new ConfigurationSources
    {
        ConfigPath = "/etc/t.conf",
        ModeNames = SelectionPolicyNames.All,
        Files = new OneText(other),
        WorkingDirectory = "/wd",
        Texts = [new ConfigurationText("t.conf", "/etc/t.conf", text)],
    });

    /// <summary>Every file has the same text.</summary>
    private sealed class OneText(byte[] bytes) : IConfigurationFiles
    {
        public bool Exists(string path) => bytes.Length > 0;

        public bool TryRead(string path, out string text, out string problem)
        {
            (text, problem) = ("", "does not exist");
            return bytes.Length > 0 && ConfEncoding.TryDecode(bytes, out text, out problem);
        }

        public TextReader? Open(string path) => bytes.Length > 0 ? new StringReader(Encoding.Latin1.GetString(bytes)) : null;

        public bool TryList(string folder, out IReadOnlyList<string> names, out string problem)
        {
            (names, problem) = ([], "");
            return true;
        }

        public UnixFileMode? Mode(string path) => null;

        public string? ProblemOfMaking(string path, bool isDirectory) => null;
    }

    private sealed class NoAdvice : ILineAdvice
    {
        public string OfHeader(ReadOnlySpan<char> line) => "";

        public string OfLine(string section, ReadOnlySpan<char> line) => "";

        public string OfOrphan(ReadOnlySpan<char> key) => "";
    }
}
