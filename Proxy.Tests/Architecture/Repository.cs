namespace TorBalancer.Tests.Architecture;

/// <summary>The repository that these tests were built from, as files.</summary>
internal static class Repository
{
    private static readonly string[] Projects =
        ["Proxy.Core", "Proxy.Onion", "Proxy.Daemon", "Proxy.Testnet", "Proxy.Tests", "Proxy.Benchmarks", "Proxy.Fuzz"];

    public static string Root { get; } = FindRoot();

    /// <summary>Every C# file that people wrote, in all projects.</summary>
    public static IReadOnlyList<SourceFile> Sources { get; } = [.. Projects.SelectMany(Load)];

    public static IEnumerable<SourceFile> SourcesOf(string project) => Sources.Where(file => file.Project == project);

    /// <summary>max_line_length in .editorconfig.</summary>
    public static int MaxLineLength => int.Parse(
        Text(".editorconfig").Split("max_line_length = ")[1].Split('\n')[0], System.Globalization.CultureInfo.InvariantCulture);

    public static string Text(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>The pages that people read: README, CHANGELOG and docs/, relative to the root.</summary>
    public static IReadOnlyList<string> Pages { get; } =
    [
        "README.md", "CHANGELOG.md",
        .. Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md")
            .Select(static path => "docs/" + Path.GetFileName(path))
            .Order(StringComparer.Ordinal),
    ];

    private static IEnumerable<SourceFile> Load(string project)
    {
        string root = Path.Combine(Root, project);
        foreach (string path in Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string relative = Path.GetRelativePath(root, path);
            if (relative.Split('/') is ["bin" or "obj", ..])
                continue;
            yield return new SourceFile(project, relative, File.ReadAllText(path));
        }
    }

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "TorBalancer.sln")))
                return directory.FullName;
        }

        throw new DirectoryNotFoundException("The tests run below the repository's root.");
    }
}
