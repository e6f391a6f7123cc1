namespace TorBalancer.Tests.Architecture;

/// <summary>One C# file.</summary>
/// <param name="project">The project's folder.</param>
/// <param name="path">Below the project's folder, with slashes.</param>
/// <param name="text">As it is on disk.</param>
internal sealed class SourceFile(string project, string path, string text)
{
    private const string RawQuotes = "\"\"\"";

    public string Project => project;

    public string Path => path;

    public string Text => text;

    /// <summary>The same with every comment and every string blanked out: what the compiler takes for names.</summary>
    public string Code { get; } = CSharpText.WithoutCommentsAndStrings(text);

    /// <summary>The folder right below the project's: a layer of Proxy.Core. Empty for a file beside the project file.</summary>
    public string Layer => path.Contains('/') ? path[..path.IndexOf('/')] : "";

    /// <summary>All lines but those within a raw string, which are what the string holds; numbers begin with 1.</summary>
    public IEnumerable<(int Number, string Text)> LinesOfCode
    {
        get
        {
            bool isInRawString = false;
            int number = 0;
            foreach (string line in text.Split('\n'))
            {
                number++;
                bool isContent = isInRawString;
                isInRawString ^= line.Split(RawQuotes, StringSplitOptions.None).Length % 2 == 0;
                if (!isContent)
                    yield return (number, line);
            }
        }
    }

    public int LineCount => text.Count(static c => c == '\n');

    /// <summary>The namespace that the folder asks for.</summary>
    public string ExpectedNamespace
    {
        get
        {
            string root = project switch
            {
                "Proxy.Core" => "TorBalancer",
                "Proxy.Onion" => "TorBalancer.Onion",
                "Proxy.Daemon" => "TorBalancer.Daemon",
                "Proxy.Testnet" => "TorBalancer.Testnet",
                "Proxy.Tests" => "TorBalancer.Tests",
                "Proxy.Fuzz" => "TorBalancer.Fuzz",
                _ => "TorBalancer.Benchmarks",
            };
            string folder = path.Contains('/') ? path[..path.LastIndexOf('/')] : "";
            return folder.Length == 0 ? root : $"{root}.{folder.Replace('/', '.')}";
        }
    }

    public override string ToString() => $"{project}/{path}";
}
