using System.Text.RegularExpressions;

namespace TorBalancer.Tests.Architecture;

/// <summary>Which folder of Proxy.Core may name which. The same table, for people, is in docs/architecture.md.</summary>
public partial class LayerTests
{
    /// <summary>A folder may name itself and those behind it. Lower folders come first, so no cycle can be written down.</summary>
    private static readonly (string Folder, string[] MayName)[] Table =
    [
        ("Primitives", []),
        ("Interop", []),
        ("Processes", ["Interop"]),
        ("Transport", ["Primitives", "Interop"]),
        ("Configuration", ["Primitives"]),
        ("Protocols", ["Primitives", "Transport"]),
        ("Workers", ["Primitives", "Configuration", "Transport"]),
        ("Routing", ["Primitives", "Configuration", "Protocols"]),
        ("Balancing", ["Primitives", "Configuration", "Workers"]),
        ("TorControl", ["Primitives", "Interop", "Configuration", "Transport", "Workers"]),
        ("Connecting", ["Primitives", "Transport", "Configuration", "Protocols", "Workers", "Routing", "Balancing", "TorControl"]),
        ("Forwarding", ["Primitives", "Transport", "Protocols", "Connecting"]),
        (
            "Health",
            ["Primitives", "Interop", "Transport", "Configuration", "Protocols", "Workers", "Balancing", "TorControl", "Connecting"]),
        ("Server", ["Primitives", "Transport", "Configuration", "Protocols", "Workers", "TorControl", "Connecting", "Forwarding"]),
        (
            "Admin",
            [
                "Primitives", "Transport", "Configuration", "Protocols", "Workers", "Balancing", "TorControl", "Connecting", "Health",
                "Server",
            ]),
        (
            "DependencyInjection",
            [
                "Primitives", "Interop", "Processes", "Transport", "Configuration", "Protocols", "Workers", "Routing", "Balancing",
                "TorControl", "Connecting", "Forwarding", "Health", "Server", "Admin",
            ]),
    ];

    // The stages are independent of who hosts and who logs.
    private static readonly string[] ForeignToCore =
    [
        "TorBalancer.Daemon", "TorBalancer.Testnet", "NLog", "Microsoft.Extensions.Hosting", "Microsoft.AspNetCore", "System.CommandLine",
    ];

    private static readonly string[] Folders = [.. Table.Select(static row => row.Folder)];

    [Test]
    public void Table_names_lower_rows_only() => Assert.Multiple(() =>
    {
        for (int row = 0; row < Table.Length; row++)
            Assert.That(Table[row].MayName, Is.SubsetOf(Folders[..row]), Table[row].Folder);
    });

    [Test]
    public void Every_folder_is_in_the_table_and_every_row_is_a_folder()
    {
        var found = Repository.SourcesOf("Proxy.Core").Select(static file => file.Layer).Distinct();

        Assert.That(found, Is.EquivalentTo(Folders));
    }

    [Test]
    public void Folders_name_only_what_their_row_allows()
    {
        var types = TypesOfFolders();
        var wrong = new List<string>();
        foreach (var file in Repository.SourcesOf("Proxy.Core"))
        {
            string[] allowed = [file.Layer, .. Table.FirstOrDefault(row => row.Folder == file.Layer).MayName ?? []];
            wrong.AddRange(FoldersNamedIn(file, types).Except(allowed).Select(named => $"{file} names {named}"));
        }

        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public void Core_names_neither_host_nor_logger() => Assert.Multiple(() =>
    {
        foreach (var file in Repository.SourcesOf("Proxy.Core"))
        {
            foreach (string foreign in ForeignToCore)
                Assert.That(file.Code, Does.Not.Match($@"\b{Regex.Escape(foreign)}\b"), $"{file} names {foreign}");
        }
    });

    [Test]
    public void Documentation_shows_the_table()
    {
        string page = Repository.Text("docs/architecture.md");

        foreach (var (folder, mayName) in Table)
        {
            string names = string.Join(", ", mayName);
            if (mayName.Length == 0)
                names = "nothing of ours";
            else if (mayName.Length == Table.Length - 1)
                names = "all";
            Assert.That(page, Does.Contain($"| {folder} | {names} |"));
        }
    }

    [Test]
    public void FoldersNamedIn_sees_usings_and_qualified_names()
    {
        var file = new SourceFile("Proxy.Core", "Primitives/X.cs", """
            using TorBalancer.Server;
            using static TorBalancer.Workers.WorkerPool;
            namespace TorBalancer.Primitives;
            class X { global::TorBalancer.Routing.RouteTable A; Connecting.RetryConnector B; int Count => options.Balancing.Count; }
            """);

        Assert.That(FoldersNamedIn(file, TypesOfFolders()), Is.EquivalentTo(["Server", "Workers", "Primitives", "Routing", "Connecting"]));
    }

    /// <summary>
    /// Folders by their full name, and by the short one that C# allows inside the namespace TorBalancer; a short one
    /// counts when a type of that folder follows, because properties are called like folders.
    /// </summary>
    private static IEnumerable<string> FoldersNamedIn(SourceFile file, ILookup<string, string> types)
    {
        var full = FullName().Matches(file.Code).Select(static match => match.Groups[1].Value).Where(Folders.Contains);
        var brief = ShortName().Matches(file.Code)
            .Where(match => types[match.Groups[1].Value].Contains(match.Groups[2].Value))
            .Select(static match => match.Groups[1].Value);
        return full.Concat(brief).Distinct();
    }

    private static ILookup<string, string> TypesOfFolders() => Repository.SourcesOf("Proxy.Core")
        .SelectMany(static file => Declaration().Matches(file.Code).Select(match => (file.Layer, Type: match.Groups[1].Value)))
        .ToLookup(static pair => pair.Layer, static pair => pair.Type);

    [GeneratedRegex(@"\bTorBalancer\.(\w+)")]
    private static partial Regex FullName();

    [GeneratedRegex(@"(?<![\w.])([A-Z]\w+)\.(?:\w+\.)*?([A-Z]\w+)")]
    private static partial Regex ShortName();

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record(?: struct)?|delegate [\w<>]+) ([A-Z]\w+)")]
    private static partial Regex Declaration();
}
