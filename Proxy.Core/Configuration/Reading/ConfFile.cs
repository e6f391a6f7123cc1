using System.Globalization;
using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>
/// Reads INI text: values without their comments and quotes, each with its line; the sections in their order; and every mistake
/// instead of the first one.
/// </summary>
/// <remarks>
/// <code>
/// ; comment              # comment            at the start of a line, white space in front allowed
/// [Section]  [Kind:name]                      a comment may follow
/// Key = value ; comment                       a ';' that begins the value or follows white space, outside double quotes
/// Key = "value ; value"                       quotes around a whole value are taken off
/// Key = value # no comment                    kept; who reads the entry refuses it, see <see cref="ValueSyntax"/>
/// </code>
/// </remarks>
internal static class ConfFile
{
    /// <summary>Reads the whole text; what is wrong with it goes to <paramref name="issues"/>, and the rest is kept.</summary>
    /// <param name="advice">Gets what stood in the way of a line, and the section, and may say what was meant.</param>
    /// <returns>The sections in the order of the file; one that is given twice is here twice.</returns>
    /// <param name="before">What files before this one have given, and what this one does; null: there is no other.</param>
    public static IReadOnlyList<ConfSection> Parse(
        string text, string path, ConfigurationIssues issues, ILineAdvice advice, ConfPlaces? before = null)
    {
        var parser = new Parser(path, issues, advice, before ?? new ConfPlaces());
        using var reader = new StringReader(text.StartsWith('\uFEFF') ? text[1..] : text);
        while (reader.ReadLine() is { } line)
            parser.Line(line);
        return parser.Sections;
    }

    private sealed class Parser(string path, ConfigurationIssues issues, ILineAdvice advice, ConfPlaces places)
    {
        private const string NoEntry = "neither [Section] nor Key = value nor a comment (; or #)";

        private List<ConfEntry>? _entries;
        private string _section = "";
        private bool _headerSeen;
        private int _line;

        public List<ConfSection> Sections { get; } = [];

        public void Line(string raw)
        {
            _line++;
            var line = raw.AsSpan().Trim();
            if (line.IsEmpty)
                return;
            if (line[0] is ';' or '#')
            {
                if (ConfEncoding.Problem(line) is { } problem)
                    Error($"the comment {problem}");
                return;
            }

            if (line[0] == '[')
                Header(line);
            else
                Entry(line);
        }

        private void Header(ReadOnlySpan<char> line)
        {
            _headerSeen = true;

            // Until a good header comes, the lines below a bad one are not reported: they are not what is wrong.
            _entries = null;
            if (ConfEncoding.Problem(line) is { } problem)
            {
                Error($"the section header {problem}");
                return;
            }

            int close = line.IndexOf(']');
            if (close < 0)
            {
                Error($"a section header without its closing ']'{advice.OfHeader(line)}");
                return;
            }

            var rest = line[(close + 1)..].TrimStart();
            if (!rest.IsEmpty && rest[0] != ';')
            {
                Error($"something behind the ']' of a section header; only a comment (;) may follow it{advice.OfHeader(line)}");
                return;
            }

            string name = string.Join(':', line[1..close].ToString().Split(':', 2, StringSplitOptions.TrimEntries));
            if (name.Length == 0)
            {
                Error("a section header without a name");
                return;
            }

            if (places.Of(name, Here) is { } first)
            {
                Error($"[{ConfText.Printable(name)}] is given twice, the first time in {Shown(first)}; "
                    + "put the keys of both into one");
            }

            _section = name;
            var entries = new List<ConfEntry>();
            _entries = entries;
            Sections.Add(new ConfSection(name, _line, entries));
        }

        private void Entry(ReadOnlySpan<char> line)
        {
            // What is not understood is not printed either: it may be the second line of a password list.
            int equals = line.IndexOf('=');
            var key = equals < 0 ? [] : line[..equals].TrimEnd();
            if (equals < 0 || !ConfText.IsName(key))
            {
                bool isNoise = _entries is null && _headerSeen;
                string section = _entries is null ? "" : _section;

                // A header in other brackets. What stands below it is not what is wrong.
                if (equals < 0 && (line[0] is '(' or '{' or '<' || (line[^1] == ']' && !line.ContainsAny(' ', '\t'))))
                    (_headerSeen, _entries) = (true, null);
                if (!isNoise)
                    Error($"{(ConfEncoding.Problem(line) is { } problem ? $"the line {problem}" : NoEntry)}{advice.OfLine(section, line)}");
                return;
            }

            if (_entries is null)
            {
                if (!_headerSeen)
                    Error($"{key} stands before the first [Section]{advice.OfOrphan(key)}");
                return;
            }

            if (!TryValue(line[(equals + 1)..].Trim(), out string value, out bool isQuoted))
            {
                Error($"[{ConfText.Printable(_section)}] {key}: the value begins with a double quote that is not closed");
                return;
            }

            if (ConfEncoding.Problem(value) is null && ConfEncoding.Problem(line) is { } unreadable)
            {
                Error($"[{ConfText.Printable(_section)}] {key}: the comment {unreadable}");
                return;
            }

            if (places.Of($"{_section}\n{key}", Here) is not { } first)
                _entries.Add(new ConfEntry(key.ToString(), value, _line, isQuoted));
            else
                Error($"[{ConfText.Printable(_section)}] {key} is given twice, the first time in {Shown(first)}");
        }

        private ConfigurationOrigin Here => new(ConfigurationLayer.File, path, _line);

        private string Shown(ConfigurationOrigin place) =>
            place.Name == path ? "line " + place.Line.ToString(CultureInfo.InvariantCulture) : place.ToString();

        private void Error(string message) => issues.Error(Here, message);

        /// <summary>Takes the comment and whole-value quotes off. A quote with no partner is a character like any other.</summary>
        private static bool TryValue(ReadOnlySpan<char> text, out string value, out bool isQuoted)
        {
            (value, isQuoted) = ("", false);
            int firstPartner = -1;
            for (int i = 0; i < text.Length; i++)
            {
                if (text[i] == '"')
                {
                    int partner = text[(i + 1)..].IndexOf('"');
                    if (partner < 0)
                    {
                        if (i == 0)
                            return false;
                        continue;
                    }

                    int end = i + 1 + partner;
                    if (i == 0)
                        firstPartner = end;
                    i = end;
                }
                else if (text[i] == ';' && (i == 0 || char.IsWhiteSpace(text[i - 1])))
                {
                    text = text[..i].TrimEnd();
                    break;
                }
            }

            isQuoted = firstPartner > 0 && firstPartner == text.Length - 1;
            value = (isQuoted ? text[1..^1] : text).ToString();
            return true;
        }
    }
}
