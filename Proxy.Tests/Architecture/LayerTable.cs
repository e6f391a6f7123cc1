using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Architecture;

/// <summary>Which folder of a project may name which other one of it.</summary>
/// <param name="project">The project's folder.</param>
/// <param name="rows">A folder may name itself and those behind it. Lower folders come first, so no cycle can be written down.</param>
internal sealed partial class LayerTable(string project, params (string Folder, string[] MayName)[] rows)
{
    private readonly string _namespace = new SourceFile(project, "X.cs", "").ExpectedNamespace;
    private readonly string[] _folders = [.. rows.Select(static row => row.Folder)];

    public string Project => project;

    public IReadOnlyList<(string Folder, string[] MayName)> Rows => rows;

    public IReadOnlyList<string> Folders => _folders;

    public IEnumerable<SourceFile> Sources => Repository.SourcesOf(project);

    /// <summary>Each file that names a folder which its own may not.</summary>
    public IReadOnlyList<string> Violations()
    {
        var types = TypesOfFolders();
        var wrong = new List<string>();
        foreach (var file in Sources)
        {
            string[] allowed = [file.Layer, .. rows.FirstOrDefault(row => row.Folder == file.Layer).MayName ?? []];
            wrong.AddRange(FoldersNamedIn(file, types).Except(allowed).Select(named => $"{file} names {named}"));
        }

        return wrong;
    }

    public IEnumerable<string> FoldersNamedIn(SourceFile file) => FoldersNamedIn(file, TypesOfFolders());

    /// <summary>
    /// Folders by their full name, and by the short one that C# allows inside the project's namespace; a short one counts when a type
    /// of that folder follows, because properties are called like folders.
    /// </summary>
    private IEnumerable<string> FoldersNamedIn(SourceFile file, ILookup<string, string> types)
    {
        var full = Regex.Matches(file.Code, $@"\b{Regex.Escape(_namespace)}\.(\w+)").Select(static match => match.Groups[1].Value)
            .Where(_folders.Contains);
        var brief = ShortName().Matches(file.Code)
            .Where(match => types[match.Groups[1].Value].Contains(match.Groups[2].Value))
            .Select(static match => match.Groups[1].Value);
        return full.Concat(brief).Distinct();
    }

    private ILookup<string, string> TypesOfFolders() => Sources
        .SelectMany(static file => Declaration().Matches(file.Code).Select(match => (file.Layer, Type: match.Groups[1].Value)))
        .ToLookup(static pair => pair.Layer, static pair => pair.Type);

    [GeneratedRegex(@"(?<![\w.])([A-Z]\w+)\.(?:\w+\.)*?([A-Z]\w+)")]
    private static partial Regex ShortName();

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record(?: struct)?|delegate [\w<>]+) ([A-Z]\w+)")]
    private static partial Regex Declaration();
}
