using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace TorBalancer.Onion.Importing;

/// <summary>
/// Reads the YAML that configuration files are written in: one document of mappings, sequences and scalars, anchors included. Tags, merge
/// keys and keys that are no scalars are refused. What it takes is bounded: no file makes it use more than a few megabytes.
/// </summary>
internal sealed class YamlReader
{
    private const int LongestText = 1 << 20, MostNodes = 50_000, DeepestNode = 32;

    private readonly Dictionary<string, YamlNode> _anchors = new(StringComparer.Ordinal);
    private readonly IParser _parser;
    private int _nodes;

    private YamlReader(IParser parser) => _parser = parser;

    /// <summary>The document; null with what is wrong, and on which line, when it is none.</summary>
    public static YamlNode? Read(string text, out ImportProblem? problem)
    {
        problem = null;
        if (text.Length > LongestText)
        {
            problem = new ImportProblem(1, string.Create(CultureInfo.InvariantCulture, $"longer than {LongestText} characters"));
            return null;
        }

        var parser = new Parser(new StringReader(text));
        try
        {
            return new YamlReader(parser).ReadDocument();
        }
        catch (YamlException failure)
        {
            problem = new ImportProblem((int)failure.Start.Line, $"not YAML: {failure.Message}");
            return null;
        }
        catch (Exception failure)
            when (failure is InvalidOperationException or ArgumentException or FormatException or ArithmeticException
                or IndexOutOfRangeException)
        {
            // The scanner throws these for some text that is no YAML.
            problem = new ImportProblem((int)(parser.Current?.Start.Line ?? 1), "not YAML");
            return null;
        }
    }

    private YamlNode ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out _))
            return new YamlScalar("", 1);
        _parser.Consume<DocumentStart>();
        var root = ReadNode(0);
        _parser.Consume<DocumentEnd>();
        if (_parser.Current is { } next and not StreamEnd)
            throw Refused(next, "there is a second document");
        return root;
    }

    private YamlNode ReadNode(int depth)
    {
        var first = _parser.Current ?? throw new YamlException("it ends too early");
        if (++_nodes > MostNodes)
            throw Refused(first, $"more than {MostNodes} entries");
        if (depth > DeepestNode)
            throw Refused(first, $"nested more than {DeepestNode} deep");
        _parser.MoveNext();
        if (first is AnchorAlias alias)
        {
            return _anchors.TryGetValue(alias.Value.Value, out var known)
                ? known
                : throw Refused(alias, $"*{alias.Value} is not known here");
        }

        if (first is not NodeEvent started)
            throw Refused(first, "something is missing");
        if (!started.Tag.IsEmpty && !started.Tag.IsNonSpecific && started is not Scalar { Tag.Value: "tag:yaml.org,2002:str" })
            throw Refused(started, $"the tag {started.Tag} is not known here");
        YamlNode node = started switch
        {
            Scalar scalar => new YamlScalar(TextOf(scalar), LineOf(scalar)),
            SequenceStart => ReadSequence(LineOf(started), depth),
            _ => ReadMapping(LineOf(started), depth),
        };
        if (!started.Anchor.IsEmpty)
            _anchors[started.Anchor.Value] = node;
        return node;
    }

    private YamlSequence ReadSequence(int line, int depth)
    {
        var items = new List<YamlNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
            items.Add(ReadNode(depth + 1));
        return new YamlSequence(items, line);
    }

    private YamlMapping ReadMapping(int line, int depth)
    {
        var entries = new List<KeyValuePair<string, YamlNode>>();
        var keys = new HashSet<string>(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var at = _parser.Current!;
            if (ReadNode(depth + 1) is not YamlScalar { Text: var key })
                throw Refused(at, "a key is no plain text");
            if (key == "<<")
                throw Refused(at, "merge keys (<<) are not known here");
            if (!keys.Add(key))
                throw Refused(at, $"{key} is given twice");
            entries.Add(new(key, ReadNode(depth + 1)));
        }

        return new YamlMapping(entries, line);
    }

    // Plain words that YAML 1.1 takes for nothing.
    private static string TextOf(Scalar scalar) =>
        scalar.Style == ScalarStyle.Plain && scalar.Value is "~" or "null" or "Null" or "NULL" ? "" : scalar.Value;

    private static int LineOf(ParsingEvent at) => (int)at.Start.Line;

    private static YamlException Refused(ParsingEvent at, string problem) => new(at.Start, at.End, problem);
}
