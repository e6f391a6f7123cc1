using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Architecture;

/// <summary>
/// Which file of a project refers to which, by the names of the types that they declare. A type that is declared in several files
/// (partial) makes them one. Names are looked up as C# does it: in the file's own namespace and those around it, and in what it imports.
/// </summary>
internal sealed partial class TypeGraph
{
    private readonly Dictionary<string, string> _nodes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, SortedSet<string>> _edges = new(StringComparer.Ordinal);

    public TypeGraph(IEnumerable<SourceFile> files)
    {
        var parsed = files.Select(static file => new Parsed(file)).ToArray();
        foreach (var file in parsed)
            _nodes[file.Path] = file.Path;

        var owners = parsed.SelectMany(static file => file.Declared.Select(type => (Type: type, File: file)))
            .ToLookup(static pair => pair.Type, static pair => pair.File);
        foreach (var declared in owners)
        {
            foreach (var parts in declared.GroupBy(static file => file.Namespace))
                Merge([.. parts.Select(static file => file.Path)]);
        }

        foreach (var file in parsed)
        {
            var to = EdgesOf(file.Path);
            foreach (string name in file.Names.Where(owners.Contains))
            {
                if (file.Declared.Contains(name))
                    continue;
                var visible = owners[name].Where(owner => file.Sees(owner.Namespace)).ToArray();
                var nearest = visible.Where(owner => owner.Namespace == file.Namespace).ToArray();
                to.UnionWith((nearest.Length > 0 ? nearest : visible).Select(owner => NodeOf(owner.Path)));
            }

            to.Remove(NodeOf(file.Path));
        }
    }

    /// <summary>Every file with those that it refers to; of a partial type the first file stands for all.</summary>
    public IReadOnlyDictionary<string, SortedSet<string>> Edges => _edges;

    /// <summary>
    /// Groups in which each refers to each other one, through others or not; sorted. <paramref name="edges"/> are from a node to those it
    /// refers to.
    /// </summary>
    public static List<string[]> Circles(IReadOnlyDictionary<string, SortedSet<string>> edges)
    {
        var reach = edges.Keys.ToDictionary(static node => node, node => Reachable(node, edges), StringComparer.Ordinal);
        var circles = new List<string[]>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string node in edges.Keys.Order(StringComparer.Ordinal))
        {
            if (seen.Contains(node) || !reach[node].Contains(node))
                continue;
            string[] circle =
            [
                .. reach[node].Where(other => reach.TryGetValue(other, out var back) && back.Contains(node)).Order(StringComparer.Ordinal),
            ];
            seen.UnionWith(circle);
            circles.Add(circle);
        }

        return circles;
    }

    /// <summary>The same by folder; a sub-folder is one of its own.</summary>
    public IReadOnlyDictionary<string, SortedSet<string>> FolderEdges()
    {
        var folders = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach (var (from, to) in _edges)
        {
            string folder = FolderOf(from);
            if (!folders.TryGetValue(folder, out var others))
                folders.Add(folder, others = new SortedSet<string>(StringComparer.Ordinal));
            others.UnionWith(to.Select(FolderOf).Where(other => other != folder));
        }

        return folders;
    }

    private static string FolderOf(string path) => path.Contains('/') ? path[..path.LastIndexOf('/')] : "";

    private static HashSet<string> Reachable(string node, IReadOnlyDictionary<string, SortedSet<string>> edges)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var next = new Stack<string>(edges[node]);
        while (next.TryPop(out string? one))
        {
            if (!reached.Add(one) || !edges.TryGetValue(one, out var further))
                continue;
            foreach (string other in further)
                next.Push(other);
        }

        return reached;
    }

    private void Merge(string[] paths)
    {
        string first = paths.Select(NodeOf).Min(StringComparer.Ordinal)!;
        foreach (string path in paths)
            _nodes[path] = first;
    }

    private string NodeOf(string path)
    {
        while (_nodes[path] != path)
            path = _nodes[path];
        return path;
    }

    private SortedSet<string> EdgesOf(string path)
    {
        string node = NodeOf(path);
        if (!_edges.TryGetValue(node, out var edges))
            _edges.Add(node, edges = new SortedSet<string>(StringComparer.Ordinal));
        return edges;
    }

    private sealed class Parsed
    {
        private readonly HashSet<string> _imports;

        public Parsed(SourceFile file)
        {
            Path = file.Path;
            Namespace = NamespaceLine().Match(file.Code).Groups[1].Value;
            _imports = [.. UsingLine().Matches(file.Code).Select(static match => match.Groups[1].Value)];
            for (string name = Namespace; name.Length > 0; name = name.Contains('.') ? name[..name.LastIndexOf('.')] : "")
                _imports.Add(name);

            // Top level only: whatever stands within braces belongs to its outer type.
            int depth = 0;
            foreach (Match token in Token().Matches(file.Code))
            {
                depth += token.ValueSpan is "{" ? 1 : token.ValueSpan is "}" ? -1 : 0;
                if (depth == 0 && token.Groups["type"] is { Success: true } type)
                    Declared.Add(type.Value);
                else if (token.Groups["name"] is { Success: true } name)
                    Names.Add(name.Value);
            }

            // What stands within the braces of an interpolated string is code too, and Code has all of the string blanked out.
            foreach (Match text in Interpolated().Matches(file.Text))
            {
                foreach (Match hole in Hole().Matches(text.Value))
                    Names.UnionWith(
                        Token().Matches(hole.Value).Select(static one => one.Groups["name"].Value).Where(static one => one != ""));
            }
        }

        public string Path { get; }

        public string Namespace { get; }

        public HashSet<string> Declared { get; } = new(StringComparer.Ordinal);

        /// <summary>Whatever may be a type's name; members behind a dot are not.</summary>
        public HashSet<string> Names { get; } = new(StringComparer.Ordinal);

        public bool Sees(string other) => _imports.Contains(other);
    }

    [GeneratedRegex(@"^\s*namespace\s+([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"\$""(?:[^""\\\n]|\\.)*""")]
    private static partial Regex Interpolated();

    [GeneratedRegex(@"\{[^{}]+\}")]
    private static partial Regex Hole();

    [GeneratedRegex(@"^\s*using\s+(?:static\s+)?([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(
        @"[{}]"
            + @"|\b(?:class|struct|interface|enum|record(?:\s+(?:class|struct))?|delegate\s+[\w<>\[\]?.]+)\s+(?<type>[A-Z]\w*)"
            + @"|(?<![\w.])(?<name>[A-Z]\w*)")]
    private static partial Regex Token();
}
