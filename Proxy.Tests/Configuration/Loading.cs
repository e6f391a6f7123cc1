using System.Collections;
using System.Globalization;
using System.Net;
using System.Text;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Tests.Configuration;

/// <summary>Short ways to load a configuration in a test, and to compare what came out.</summary>
internal static class Loading
{
    public static ConfigurationSchema Schema { get; } = new(SelectionPolicyNames.All);

    public static ConfigurationResult Text(
        string text, IConfigurationFiles? files = null, ConfigurationParts parts = ConfigurationParts.All) =>
        Sources(text, files: files, parts: parts);

    public static ConfigurationResult Sources(
        string? text = null, Dictionary<string, string>? environment = null, string[]? arguments = null, IConfigurationFiles? files = null,
        string? path = null, ConfigurationParts parts = ConfigurationParts.All) => ConfigurationLoader.Load(new ConfigurationSources
        {
            ConfigPath = path ?? (text is null ? null : "t.conf"),
            Environment = environment ?? [],
            Arguments = arguments ?? [],
            ModeNames = SelectionPolicyNames.All,
            Files = text is null ? files ?? new FakeFiles() : new TextFile("/wd/t.conf", text, files ?? new FakeFiles()),
            WorkingDirectory = "/wd",
            Parts = parts,
        });

    /// <summary>The errors as lines.</summary>
    public static string Errors(string text) => Join(Text(text).Errors);

    public static string Join(IReadOnlyList<ConfigurationIssue> issues) => string.Join('\n', issues);

    /// <summary>Every property as text, for comparing two sets of options. Tests may reflect; the program does not.</summary>
    public static string Dump(object? value)
    {
        switch (value)
        {
            case null:
                return "null";
            case string or EndPoint or IPAddress or IPNetwork or Enum or TimeSpan or bool or int or long:
                return string.Create(CultureInfo.InvariantCulture, $"{value}");
            case IDictionary<string, string> map:
                return "{" + string.Join(", ", map.OrderBy(pair => pair.Key, StringComparer.Ordinal)) + "}";
            case IEnumerable list:
                return "[" + string.Join(", ", list.Cast<object>().Select(Dump)) + "]";
        }

        var text = new StringBuilder(value.GetType().Name).Append("\n{\n");
        foreach (var property in value.GetType().GetProperties())
            text.Append(property.Name).Append(" = ").Append(Dump(property.GetValue(value))).Append('\n');
        return text.Append('}').ToString();
    }
}

/// <summary>One text in front of another file system.</summary>
internal sealed class TextFile(string path, string text, IConfigurationFiles others) : IConfigurationFiles
{
    public bool Exists(string other) => other == path || others.Exists(other);

    public bool TryRead(string other, out string read, out string problem)
    {
        if (other != path)
            return others.TryRead(other, out read, out problem);
        (read, problem) = (text, "");
        return true;
    }

    public TextReader? Open(string other) => other == path ? new StringReader(text) : others.Open(other);

    public bool TryList(string folder, out IReadOnlyList<string> names, out string problem) =>
        others.TryList(folder, out names, out problem);

    public UnixFileMode? Mode(string other) => other == path ? null : others.Mode(other);

    public string? ProblemOfMaking(string other, bool isDirectory) => others.ProblemOfMaking(other, isDirectory);
}

/// <summary>A file system of a few texts.</summary>
internal sealed class FakeFiles : IConfigurationFiles
{
    public Dictionary<string, string> Texts { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, UnixFileMode> Modes { get; } = new(StringComparer.Ordinal);

    public List<string> Asked { get; } = [];

    public bool Exists(string path)
    {
        Asked.Add(path);
        return Texts.ContainsKey(path);
    }

    public bool TryRead(string path, out string text, out string problem)
    {
        problem = "does not exist";
        return Texts.TryGetValue(path, out text!);
    }

    public TextReader? Open(string path) => Texts.TryGetValue(path, out string? text) ? new StringReader(text) : null;

    public bool TryList(string folder, out IReadOnlyList<string> names, out string problem)
    {
        names = [.. Texts.Keys.Where(path => Path.GetDirectoryName(path) == folder).Select(static path => Path.GetFileName(path))];
        problem = "";
        return true;
    }

    /// <summary>Paths where nothing can be made, and why.</summary>
    public Dictionary<string, string> Unmakeable { get; } = new(StringComparer.Ordinal);

    public string? ProblemOfMaking(string path, bool isDirectory) => Unmakeable.GetValueOrDefault(path);

    public UnixFileMode? Mode(string path) => Modes.TryGetValue(path, out var mode) ? mode : null;
}

/// <summary>Has nothing to say about a line.</summary>
internal sealed class NoAdvice : ILineAdvice
{
    public string OfHeader(ReadOnlySpan<char> line) => "";

    public string OfLine(string section, ReadOnlySpan<char> line) => "";

    public string OfOrphan(ReadOnlySpan<char> key) => "";
}
